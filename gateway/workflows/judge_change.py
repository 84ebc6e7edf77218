"""Judge a change whenever something happens to it, until nothing more does.

Events that arrive while a judgement runs are answered together by the next one, and the pause between two judgements
grows, so that thousands of comments are a handful of judgements. An undecided verdict that may change by itself is
judged again on the prompt schedule, and one with an end is judged again at that end; a new event wakes either at once.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from gateway.durable import PROMPT, Signal, WorkflowContext
from policies import Json

_PAUSES = (0.0, 1.0, 2.0, 5.0, 10.0)
"""Seconds between one judgement and the next of a busy change."""
_ROUNDS = 50
"""Judgements before the history is begun afresh."""
_FAULTS_LIMIT = len(PROMPT.delays) + round(PROMPT.repeat_last_for / PROMPT.delays[-1])
"""Judgements in a row that came to a passing fault, before it is left to the next event: about a day."""


async def judge_change(ctx: WorkflowContext, input: Json) -> Json:
    """input: {connection, repository, number, faults?}; result: what the last judgement came to."""
    assert isinstance(input, dict)
    faults = int(str(input.get("faults", 0)))
    change = {key: input[key] for key in ("connection", "repository", "number")}
    arrived = await _all_arrived(ctx)
    for done in range(_ROUNDS):
        judged: Any = await ctx.activity("judge_change", change, _newest_hint(arrived))
        faults = faults + 1 if judged["again"] else 0
        wait = _seconds_until_next(judged, faults, ctx.now())
        woken = await ctx.wait_signal(timeout=wait or 0.0)
        if woken is None and wait is None:
            return judged  # type: ignore[no-any-return]
        if woken is not None:
            await ctx.sleep(_PAUSES[min(done, len(_PAUSES) - 1)])
        arrived = [*([woken] if woken else []), *await _all_arrived(ctx)]
    return ctx.continue_as_new({**change, "faults": faults})


async def _all_arrived(ctx: WorkflowContext) -> list[Signal]:
    signals: list[Signal] = []
    while (signal := await ctx.wait_signal(timeout=0.0)) is not None:
        signals.append(signal)
    return signals


def _newest_hint(arrived: list[Signal]) -> Json:
    """The bound the facts have to reach: the one of the event that was last updated (deliveries come in any order).

    What it says of the facts that can have been altered is said of all that arrived.
    """
    hints = [signal.payload for signal in arrived if isinstance(signal.payload, dict)]
    if not hints:
        return None
    newest = max(hints, key=lambda hint: str(hint.get("updated_at") or ""))
    touches = [hint.get("touches") for hint in hints]
    known = [names for names in touches if isinstance(names, list)]
    all_known = len(known) == len(arrived)
    return {**newest, "touches": [*sorted({str(name) for names in known for name in names})] if all_known else None}


def _seconds_until_next(judged: dict[str, Any], faults: int, now: datetime) -> float | None:
    """None: nothing to wait for."""
    if judged["again"]:
        return PROMPT.delays[min(faults, len(PROMPT.delays)) - 1] if faults <= _FAULTS_LIMIT else None
    if judged["valid_until"] is None:
        return None
    return max((datetime.fromisoformat(judged["valid_until"]) - now).total_seconds(), 1.0)
