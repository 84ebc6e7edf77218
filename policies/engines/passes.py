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

PASS_SIZE = 24
"""Policies in one pass: OPA takes quadratic time to compile a query (24: 0.1 s once; 148: 7 s), and one fault costs less."""

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
    found: dict[str, PolicyValues | PolicyFailure] = {}
    for start in range(0, len(queries), PASS_SIZE):
        some = queries[start : start + PASS_SIZE]
        try:
            answer = await one_pass(evaluation, some)
        except (EngineTimedOut, EngineCrashed):
            quarantine.strike(evaluation.bundle.digest)
            if len(queries) == 1:
                raise
            found |= await _one_by_one(evaluation, some, one_pass, deadline)
            continue
        if not isinstance(answer, PolicyFailure):
            found |= answer
        elif len(some) == 1:
            found[some[0].package] = answer
        else:
            found |= await _one_by_one(evaluation, some, one_pass, deadline)
    return found


async def _one_by_one(
    evaluation: Evaluation, queries: tuple[PolicyQuery, ...], one_pass: Pass, deadline: float
) -> dict[str, PolicyValues | PolicyFailure]:
    over = time.monotonic() + _DEADLINES_ALONE * deadline
    left = PolicyFailure(kind=FailureKind.TIMED_OUT, message="not evaluated: other policies of the bundle used up the time")
    return {query.package: await _alone(evaluation, query, one_pass) if time.monotonic() < over else left for query in queries}


async def _alone(evaluation: Evaluation, query: PolicyQuery, one_pass: Pass) -> PolicyValues | PolicyFailure:
    try:
        found = await one_pass(evaluation, (query,))
    except EngineTimedOut as problem:
        return PolicyFailure(kind=FailureKind.TIMED_OUT, message=str(problem))
    except EngineCrashed as problem:
        return PolicyFailure(kind=FailureKind.CRASHED, message=str(problem))
    return found if isinstance(found, PolicyFailure) else found[query.package]
