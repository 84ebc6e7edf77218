"""Answer commands in a change's comments: read them once for however many comments, and again if there were more meanwhile."""

from __future__ import annotations

from gateway.durable import WorkflowContext
from policies import Json


async def comment_commands(ctx: WorkflowContext, input: Json) -> Json:
    """input: {connection, repository, number}; result: how many commands there were."""
    signal = await ctx.wait_signal(timeout=0.0)
    while True:
        hint = signal.payload if signal is not None else None
        while (later := await ctx.wait_signal(timeout=0.0)) is not None:
            hint = later.payload
        answered = await ctx.activity("comment_commands", input, hint)
        signal = await ctx.wait_signal(timeout=0.0)
        if signal is None:
            return answered
