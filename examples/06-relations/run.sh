#!/usr/bin/env bash
set -euo pipefail
cd "$(dirname "$0")"
PATH="$PWD/../../.venv/bin:$PATH"

folder=$(mktemp -d)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export ADMIT_URL="http://127.0.0.1:$port"
echo "public_url: $ADMIT_URL" > "$folder/admit.yaml"
(cd "$folder" && exec admit serve) > "$folder/out" 2> "$folder/log" &
gateway=$!
trap 'kill $gateway; wait $gateway || true; rm -rf "$folder"' EXIT
until python3 -c "import urllib.request; urllib.request.urlopen('$ADMIT_URL/readyz')" 2> /dev/null; do
	kill -0 $gateway || { cat "$folder/log" >&2; exit 1; }
	sleep 0.2
done
ADMIT_TOKEN=$(grep '^admit_' "$folder/out")
export ADMIT_TOKEN

echo '$ admit relations import store.fga.yaml'
admit relations import store.fga.yaml | sed 's/model [^ ]*/model …/'

echo '$ admit relations check user:work/8 owner repository:work/12'
admit relations check user:work/8 owner repository:work/12

echo '$ admit relations write person:ben#account deployer environment:production --condition until …'
admit relations write 'person:ben#account' deployer environment:production \
	--condition until --context '{"end": "2099-12-31T12:00:00Z"}'

echo '$ python3 evaluation.py'
python3 evaluation.py

echo '$ admit relations export -o exported.fga.yaml'
admit relations export -o "$folder/exported.fga.yaml" > /dev/null

echo '$ admit check change.json --policies policies --relations exported.fga.yaml'
admit check change.json --policies policies --relations "$folder/exported.fga.yaml"

echo '$ admit relations write person:ben#account member team:core --delete'
admit relations write 'person:ben#account' member team:core --delete

echo '$ admit relations check user:work/8 owner repository:work/12'
admit relations check user:work/8 owner repository:work/12 || echo "(exit code $?)"
