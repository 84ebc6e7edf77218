"""Notice what a branch's own policies have become: look once for however many pushes, and again if it moved meanwhile."""

from __future__ import annotations

from gateway.durable import WorkflowContext
from policies import Json


async def own_policies(ctx: WorkflowContext, input: Json) -> Json:
    """input: {connection, repository_id, repository, branch}; result: how many changes are judged again."""
    while True:
        while await ctx.wait_signal(timeout=0.0) is not None:
            pass
        concerned = await ctx.activity("own_policies_moved", input)
        if await ctx.wait_signal(timeout=0.0) is None:
            return concerned
