"""Keep a connection level with its forge for as long as the gateway is used: one workflow for each connection.

Repositories with open changes are looked at often, the others rarely, all of them when a gateway starts (its signal); and
as rarely every admitted change is judged again, since some acts neither tell nor show in a listing.
A forge that is down is asked again by the activities' own schedule.
"""

from __future__ import annotations

from typing import Any

from gateway.durable import ActivityFailed, RetrySchedule, WorkflowContext
from policies import Json

LIVE_SECONDS = 30.0
"""Between two looks at repositories with open changes."""
IDLE_ROUNDS = 30
"""So many looks at live repositories before the next at all of them: a quarter of an hour."""

_SOON = RetrySchedule(name="reconcile", delays=(1, 5, 15, 60))
"""The next pass comes by itself, so nothing is tried for long."""


async def reconcile(ctx: WorkflowContext, input: Json) -> Json:
    """input, and the payload of `started`: {connection, live_seconds?}; goes on until the connection is configured no more."""
    assert isinstance(input, dict)
    connection = input["connection"]
    every = float(str(input.get("live_seconds", LIVE_SECONDS)))
    for done in range(IDLE_ROUNDS):
        try:
            found: Any = await ctx.activity("watched_repositories", connection, schedule=_SOON)
            if found is None:
                return None  # the connection is configured no more; a gateway that has it again starts this anew
            wanted = found["live"] + (found["idle"] if done == 0 else [])
            thorough = done == 0
            await ctx.gather(*(ctx.activity("reconcile_repository", connection, name, thorough, schedule=_SOON) for name in wanted))
        except ActivityFailed:
            pass  # its attempts are in the history; the next pass looks at everything again
        started = await ctx.wait_signal("started", timeout=every)
        if started is not None:
            return ctx.continue_as_new(started.payload)
    return ctx.continue_as_new(input)
