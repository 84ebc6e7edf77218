"""Seal what was recorded: a moment after the last of a burst, once for all of it."""

from __future__ import annotations

from gateway.durable import WorkflowContext
from policies import Json

_SETTLE_SECONDS = 3.0
"""Longer than the seconds whose decisions share one signal (`operations.seal_record`)."""
_ROUNDS = 200


async def seal_record(ctx: WorkflowContext, input: Json) -> Json:
    """Result: the position of the chain's head."""
    for _ in range(_ROUNDS):
        await ctx.sleep(_SETTLE_SECONDS)
        while await ctx.wait_signal(timeout=0.0) is not None:
            pass
        position = await ctx.activity("seal_record")
        if await ctx.wait_signal(timeout=0.0) is None:
            return position
    return ctx.continue_as_new(input)
