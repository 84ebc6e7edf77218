"""What `admit replay` found, for people and for scripts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from gateway.cli.safe_text import one_line
from gateway.domain.explanation import subject_of
from gateway.domain.record import Decision
from gateway.operations.replay import Different, NotRecomputable, Replayed, Same


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedDecision:
    """A decision, and what computing it again came to."""

    decision: Decision
    result: Replayed


def exit_code(replayed: Sequence[ReplayedDecision]) -> int:
    """1 if any is different, else 2 if any could not be recomputed, else 0: a difference is never hidden behind a fault."""
    results = [one.result for one in replayed]
    if any(isinstance(result, Different) for result in results):
        return 1
    return 2 if any(isinstance(result, NotRecomputable) for result in results) else 0


def render(output: str, replayed: Sequence[ReplayedDecision], *, each: bool) -> str:
    """`output`: text or json. each: mention those that are the same too."""
    if output == "json":
        return json.dumps([_document(one) for one in replayed], indent=2, ensure_ascii=False) + "\n"
    lines = [line for one in replayed if each or not isinstance(one.result, Same) for line in _lines(one)]
    return "\n".join([*lines, _summary(replayed)]) + "\n"


def _lines(one: ReplayedDecision) -> Iterator[str]:
    about = f"{one.decision.id}  {one.decision.outcome.value}: {one_line(subject_of(one.decision))}"
    match one.result:
        case Same():
            yield f"SAME       {about}"
        case Different(where=where, recorded=recorded, recomputed=recomputed):
            yield f"DIFFERENT  {about}"
            yield f"  - {one_line(where)}"
            if recorded is not None and recomputed is not None:
                yield f"      recorded:   {one_line(recorded)}"
                yield f"      recomputed: {one_line(recomputed)}"
        case NotRecomputable(why=why):
            yield f"CANNOT     {about}"
            yield f"  - {one_line(why)}"
        case _:
            assert_never(one.result)


def _summary(replayed: Sequence[ReplayedDecision]) -> str:
    same, different, cannot = (sum(isinstance(one.result, kind) for one in replayed) for kind in (Same, Different, NotRecomputable))
    noun = "decision" if len(replayed) == 1 else "decisions"
    return f"{len(replayed)} {noun} recomputed: {same} the same, {different} different, {cannot} that cannot be"


def _document(one: ReplayedDecision) -> dict[str, Any]:
    common = {"id": one.decision.id, "outcome": one.decision.outcome.value}
    match one.result:
        case Same():
            return {**common, "result": "same"}
        case Different(where=where, recorded=recorded, recomputed=recomputed):
            return {**common, "result": "different", "where": where, "recorded": recorded, "recomputed": recomputed}
        case NotRecomputable(why=why):
            return {**common, "result": "not_recomputable", "why": why}
        case _:
            assert_never(one.result)
