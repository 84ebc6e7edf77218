"""Follow what changes at a relationship server, so that open changes whose answers moved are judged again.

What changed is asked about once more a while later: a judgement that was under way when it changed may have been recorded
only after the first look.
"""

from __future__ import annotations

from typing import Any

from gateway.durable import ActivityFailed, RetrySchedule, WorkflowContext
from policies import Json

_SOON = RetrySchedule(name="follow", delays=(1, 5, 15, 60))
"""The next look comes by itself, so nothing is tried for long."""
_ROUNDS = 200
_LATER = 30.0
"""Seconds to the second look, longer than asking and recording take."""


async def follow_relations(ctx: WorkflowContext, input: Json) -> Json:
    """input, and the payload of `started`: {every, mark?, due?}; goes on until no server is configured any more.

    mark: how far it has followed. due: when what changed is asked about once more, seconds since the epoch.
    """
    assert isinstance(input, dict)
    every, mark, due = float(str(input["every"])), input.get("mark"), input.get("due")
    for _ in range(_ROUNDS):
        now = ctx.now().timestamp()
        try:
            found: Any = await ctx.activity("relations_changed", mark, schedule=_SOON)
            if found is None:
                return None
            first = mark is None
            mark = found["mark"]
            late = due is not None and now >= float(str(due))
            if (found["moved"] and not first) or late:
                await ctx.activity("ask_again", f"followed:{now}", schedule=_SOON)
                due = now + _LATER if found["moved"] else None
        except ActivityFailed:
            due = now  # whatever was missed is asked about as soon as somebody answers
        started = await ctx.wait_signal("started", timeout=every)
        if started is not None:
            assert isinstance(started.payload, dict)
            every = float(str(started.payload["every"]))
    return ctx.continue_as_new({"every": every, "mark": mark, "due": due})
