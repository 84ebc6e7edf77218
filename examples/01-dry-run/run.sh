#!/usr/bin/env bash
set -euo pipefail
cd "$(dirname "$0")"
PATH="$PWD/../../.venv/bin:$PATH"

echo '$ admit check change.json --policies policies'
admit check change.json --policies policies || echo "(exit code $?)"

echo '$ admit check approved.json --policies policies --output json'
admit check approved.json --policies policies --output json | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["outcome"])'
