"""Keep the status of one (repository, sha, target branch) right: report, and again if something changed meanwhile."""

from __future__ import annotations

from gateway.durable import WorkflowContext
from policies import Json


async def report_status(ctx: WorkflowContext, input: Json) -> Json:
    """input: {connection, repository_id, repository, sha, target_branch}; result: the state that was reported, or null."""
    while True:
        while await ctx.wait_signal(timeout=0.0) is not None:
            pass
        state = await ctx.activity("report_status", input)
        if await ctx.wait_signal(timeout=0.0) is None:
            return state
