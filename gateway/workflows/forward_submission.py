"""Carry a submission: wait for people as long as need be, start it once, watch its run to the end.

Whatever is said meanwhile (approved, refused, to be cancelled) is in the database; a signal only says that it is worth
looking. A target that is away for hours delays the start; what used up its schedule is a dead letter, and goes on from
there when it is revived.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from gateway.durable import RetrySchedule, WorkflowContext
from policies import Json

_STARTING = RetrySchedule(name="start", delays=(1, 5, 15, 60, 120, 300), repeat_last_for=3 * 24 * 3600)
"""A target may be away for a weekend."""
_WATCHING = RetrySchedule(name="watch", delays=(1, 5, 15, 60, 120, 300), repeat_last_for=7 * 24 * 3600)
"""The run goes on whether we can see it or not."""
_ATTEMPT = 180.0
"""Seconds for one attempt: longer than any target's own timeout."""
_PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Seconds from one look at a run to the next: often at first, as short runs are worth it."""
_LOOKS = 200
"""Before the history is begun afresh."""


async def forward_submission(ctx: WorkflowContext, input: Json) -> Json:
    """input: {submission, held, until, watching, looks?}; result: {state} at its end."""
    assert isinstance(input, dict)
    submission = input["submission"]
    if not input["watching"]:
        stand: Any = await _started(ctx, input)
        if stand["ended"]:
            return {"state": stand["state"]}
    looks = int(str(input.get("looks", 0)))
    for _ in range(_LOOKS):
        stand = await ctx.activity("watch_submission", submission, schedule=_WATCHING, timeout=_ATTEMPT)
        if stand["ended"]:
            return {"state": stand["state"]}
        await ctx.wait_signal(timeout=_PAUSES[min(looks, len(_PAUSES) - 1)])
        looks += 1
    return ctx.continue_as_new({**input, "watching": True, "looks": looks})


async def _started(ctx: WorkflowContext, input: dict[str, Any]) -> Any:
    """Until it runs, or has ended without."""
    held, until = input["held"], input["until"]
    while True:
        last = False
        if held:
            last = await ctx.wait_signal(timeout=_seconds_until(until, ctx.now())) is None
        while await ctx.wait_signal(timeout=0.0) is not None:
            pass
        stand: Any = await ctx.activity("start_submission", input["submission"], last, schedule=_STARTING, timeout=_ATTEMPT)
        if stand["state"] != "held":
            return stand
        held, until = True, stand["until"]


def _seconds_until(until: str | None, now: datetime) -> float | None:
    """None: for as long as it takes."""
    return None if until is None else max((datetime.fromisoformat(until) - now).total_seconds(), 0.0)
