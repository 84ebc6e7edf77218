#!/usr/bin/env bash
# Look what is reached and what the App lacks, put the gate up on main of one repository, and see that nothing leads round it.
set -euo pipefail
repository="${1:?usage: connect.sh owner/name}"
admit test policies
admit doctor
admit connect work "$repository" --require main
admit connect work "$repository" --require main --check
