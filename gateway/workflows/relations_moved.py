"""Ask the open changes' relationships again once relations have moved: once for however many changes came meanwhile."""

from __future__ import annotations

from gateway.durable import WorkflowContext
from policies import Json

_ROUNDS = 200


async def relations_moved(ctx: WorkflowContext, input: Json) -> Json:
    """Signals carry the cause; result: how many changes are judged again after the last."""
    cause: Json = None
    for _ in range(_ROUNDS):
        while (moved := await ctx.wait_signal(timeout=0.0)) is not None:
            cause = moved.payload
        concerned = await ctx.activity("ask_again", cause)
        if (moved := await ctx.wait_signal(timeout=0.0)) is None:
            return concerned
        cause = moved.payload
    return ctx.continue_as_new(input)
