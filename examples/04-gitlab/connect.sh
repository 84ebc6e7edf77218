#!/usr/bin/env bash
# Look what is reached, put the gate up on main of one project, and see what leads round it. Options go to `admit connect`.
set -euo pipefail
project="${1:?usage: connect.sh group/project [--only-gateway-merges]}"
shift
admit test policies
admit doctor
admit connect work "$project" --require main "$@"
admit connect work "$project" --require main --check
