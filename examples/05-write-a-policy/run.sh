#!/usr/bin/env bash
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
PATH="$here/../../.venv/bin:$PATH"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"

say() { printf '\n# %s\n' "$*"; }
run() {
  printf '$ %s\n' "$*"
  "$@" || printf '(exit code %d)\n' "$?"
}

echo "# 1. a first bundle, and what it tests"
run admit init acme
run admit test acme

say "2. a policy of your own, listed in bundle.yaml; a misspelt fact is found before anything judges by it"
cp "$here/bundle.yaml" acme/
sed 's/input.change.title/input.change.titel/' "$here/ticket.rego" >acme/merge/ticket.rego
run admit test acme

say "3. spelt right, but untested"
cp "$here/ticket.rego" acme/merge/
run admit test acme --threshold 90

say "4. with tests of its rules, and cases of whole judgements; the first cases are about the first policy, and say so now"
cp "$here/ticket_test.rego" acme/merge/
cp "$here/ticket.case" acme/cases/
awk '/^    expect:/ { print "    package: merge.approvals" } { print }' acme/cases/approvals.case >cases
mv cases acme/cases/approvals.case
run admit test acme --threshold 90

say "5. a recorded change, as the gateway would judge it"
cp "$here/change.json" .
run admit check change.json --policies acme

say "6. what the policies look at"
run admit bundle impact acme

say "7. packed, to be published with: admit bundle push acme"
printf '$ admit bundle build acme\n'
admit bundle build acme | cut -d, -f1
