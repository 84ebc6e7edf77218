"""Relationship checks in process against a real OpenFGA, on random models, tuples and questions, for as long as is wanted."""

from __future__ import annotations

from tests.contract.relations.fuzzing import fuzzed
from tests.servers.openfga import running_openfga
from tests.torture.outcome import Outcome


def against_openfga(seconds: float, seed: int) -> Outcome:
    """The same answers, but for the server's own inconsistencies (`tests.contract.relations.comparing`)."""
    with running_openfga() as openfga:
        found = fuzzed(openfga, worlds=1, seconds=seconds, seed=seed)
    return Outcome(seed=seed, summary=found.told(), problems=tuple(found.different))
