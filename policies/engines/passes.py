"""How an evaluation is made of passes: all policies at once; where that fails, each by itself, to say whose fault it is.

Separate, because it is the port's promise ("one policy's failure does not hide another's
values") and the same for every engine.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Protocol

from policies.engines.port import Evaluation, FailureKind, PolicyFailure, PolicyQuery, PolicyValues
from policies.engines.quarantine import Quarantine
from policies.errors import EngineCrashed, EngineTimedOut

_DEADLINES_ALONE = 3
"""All policies by themselves may take this many times one deadline; what is left then is undecided."""


class Pass(Protocol):
    """Evaluates some of an evaluation's queries at once. Raises the errors of `PolicyEngine.evaluate`."""

    async def __call__(self, evaluation: Evaluation, queries: tuple[PolicyQuery, ...]) -> Mapping[str, PolicyValues] | PolicyFailure: ...


async def evaluated(
    evaluation: Evaluation, one_pass: Pass, quarantine: Quarantine, *, deadline: float
) -> Mapping[str, PolicyValues | PolicyFailure]:
    """What `PolicyEngine.evaluate` promises, of a bundle that is compiled. A killed pass counts once against the bundle."""
    queries = evaluation.queries
    if not queries:
        return {}
    try:
        found = await one_pass(evaluation, queries)
    except (EngineTimedOut, EngineCrashed):
        quarantine.strike(evaluation.bundle.digest)
        if len(queries) == 1:
            raise
        return await _one_by_one(evaluation, one_pass, deadline)
    if not isinstance(found, PolicyFailure):
        return found
    if len(queries) == 1:
        return {queries[0].package: found}
    return await _one_by_one(evaluation, one_pass, deadline)


async def _one_by_one(evaluation: Evaluation, one_pass: Pass, deadline: float) -> Mapping[str, PolicyValues | PolicyFailure]:
    over = time.monotonic() + _DEADLINES_ALONE * deadline
    left = PolicyFailure(kind=FailureKind.TIMED_OUT, message="not evaluated: other policies of the bundle used up the time")
    found: dict[str, PolicyValues | PolicyFailure] = {}
    for query in evaluation.queries:
        found[query.package] = await _alone(evaluation, query, one_pass) if time.monotonic() < over else left
    return found


async def _alone(evaluation: Evaluation, query: PolicyQuery, one_pass: Pass) -> PolicyValues | PolicyFailure:
    try:
        found = await one_pass(evaluation, (query,))
    except EngineTimedOut as problem:
        return PolicyFailure(kind=FailureKind.TIMED_OUT, message=str(problem))
    except EngineCrashed as problem:
        return PolicyFailure(kind=FailureKind.CRASHED, message=str(problem))
    return found if isinstance(found, PolicyFailure) else found[query.package]
