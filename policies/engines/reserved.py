"""What every bundle gets beside its own modules: the reserved package `data.admit`, and the walls around the world.

Separate, because both adapters, the bundle checks and `admit init` (which writes `admit.rego`
for editors) must have the same text. A bundle may declare nothing under `RESERVED_ROOTS`.
"""

from __future__ import annotations

from collections.abc import Mapping

RESERVED_ROOTS = ("admit", "system")
"""First package components no bundle may use: ours, and the one OPA itself gives a meaning to."""

ADMIT_PATH = "admit.rego"

ADMIT_MODULE = """\
# METADATA
# title: Relationship questions
# description: Supplied by the gateway; a bundle cannot change it.
package admit

# A question for the rule `questions`: does `user` have `relation` to `object`?
question(user, relation, object) := {"user": user, "relation": relation, "object": object}

# Whether `user` has `relation` to `object`. It must have been asked for in `questions`:
# if it was not, this raises, and the policy ends undecided rather than with a silent "no".
related(user, relation, object) := answer if {
	answer := input.relations[object][relation][user]
} else := to_number(sprintf("relation not asked for: is %v %v of %v?", [user, relation, object]))
"""

WORLD_PATH = "admit/world.rego"

BLOCKED_BUILTINS: Mapping[str, int] = {
    "crypto.x509.parse_and_verify_certificates": 1,
    "crypto.x509.parse_and_verify_certificates_with_options": 2,
    "http.send": 1,
    "io.jwt.decode_verify": 2,
    "net.lookup_ip_addr": 1,
    "opa.runtime": 0,
    "rand.intn": 2,
    "rego.parse_module": 2,
    "trace": 1,
    "uuid.rfc4122": 1,
}
"""Builtins that reach the network, the process, the wall's clock, randomness or the evaluator, with their number of arguments.

The bundle checks refuse them on load; the queries wall them off a second time.
"""


def blocker(builtin: str) -> str:
    """The full name of the rule that stands in for a blocked builtin."""
    return "data.admit.world.blocked_" + builtin.replace(".", "_")


def _blocked_rule(builtin: str, arguments: int) -> str:
    name = blocker(builtin).rpartition(".")[2]
    return f'{name}({", ".join("_" * arguments)}) := to_number("builtin not available to policies: {builtin}")\n'


WORLD_MODULE = "package admit.world\n\n" + "".join(_blocked_rule(name, count) for name, count in BLOCKED_BUILTINS.items())
"""Under strict builtin errors each of these raises."""

RESERVED_MODULES: Mapping[str, str] = {ADMIT_PATH: ADMIT_MODULE, WORLD_PATH: WORLD_MODULE}
