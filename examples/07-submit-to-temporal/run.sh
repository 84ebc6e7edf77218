#!/usr/bin/env bash
set -euo pipefail
cd "$(dirname "$0")"
PATH="$PWD/../../.venv/bin:$PATH"

# A folder for this run, with ports that are free: yours keeps to those of admit.yaml.
here=$(mktemp -d)
free() { python3 -c 'import socket; probe = socket.socket(); probe.bind(("127.0.0.1", 0)); print(probe.getsockname()[1])'; }
temporal_port=$(free) port=$(free)
cp -r policies relations.fga.yaml "$here"
{ echo "public_url: http://127.0.0.1:$port"; sed "s/7233/$temporal_port/" admit.yaml; } > "$here/admit.yaml"
started=()
trap 'kill "${started[@]}" 2> /dev/null || true; wait; rm -rf "$here"' EXIT

temporal server start-dev --ip 127.0.0.1 --port "$temporal_port" --headless --log-level error > "$here/temporal.log" 2>&1 &
started+=($!)
until temporal operator cluster health --address "127.0.0.1:$temporal_port" > /dev/null 2>&1; do sleep 0.2; done
python worker.py "127.0.0.1:$temporal_port" &
started+=($!)
cd "$here"
admit serve > serve.out 2> serve.log &
started+=($!)
until python3 -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1])' "http://127.0.0.1:$port/readyz" 2> /dev/null; do sleep 0.2; done

# Ana asks, Ben may approve: a token says whose account it is.
token() { admit token create "$1" --scope submitter --scope reader --actor "$2" --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["token"])'; }
ana=$(token ana user:work/1)
ben=$(token ben user:work/2)
short() { sed -E 's/[A-Za-z0-9_-]{32}/ID/g; /running/d'; }

echo '$ admit submit deploy version=main environment=staging'
ADMIT_TOKEN=$ana admit submit deploy version=main environment=staging || echo "(exit code $?)"

echo '$ admit submit deploy version=1.4.2 environment=staging --wait'
ADMIT_TOKEN=$ana admit submit deploy version=1.4.2 environment=staging --wait | tail -1 | short

echo '$ admit submit deploy version=1.4.2 environment=production --json > held.json'
ADMIT_TOKEN=$ana admit submit deploy version=1.4.2 environment=production --json > held.json
read -r id state < <(python3 -c 'import json; said = json.load(open("held.json")); print(said["id"], said["state"])')
echo "$state"

echo '$ admit submissions approve ID      # ana, who asked for it'
ADMIT_TOKEN=$ana admit submissions approve "$id" 2>&1 | short || echo "(exit code $?)"

echo '$ admit submissions approve ID      # ben'
ADMIT_TOKEN=$ben admit submissions approve "$id" | short
ADMIT_TOKEN=$ana admit submissions watch "$id" | tail -1 | short

run=$(ADMIT_TOKEN=$ana admit submissions show "$id" --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["run"]["id"])')
echo '$ temporal workflow result --workflow-id RUN'
temporal workflow result --workflow-id "$run" --address "127.0.0.1:$temporal_port" --output json | python3 -c 'import json, sys; print(json.load(sys.stdin)["result"])'
