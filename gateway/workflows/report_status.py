"""Keep the status of one (repository, sha, target branch) right: report, and again if something changed meanwhile."""

from __future__ import annotations

from gateway.durable import WorkflowContext
from policies import Json


async def report_status(ctx: WorkflowContext, input: Json) -> Json:
    """input: {connection, repository_id, repository, sha, target_branch}; result: the state that was reported, or null."""
    while True:
        check = False
        while (signal := await ctx.wait_signal(timeout=0.0)) is not None:
            check = check or (isinstance(signal.payload, dict) and bool(signal.payload.get("check")))
        state = await ctx.activity("report_status", input, check)
        if await ctx.wait_signal(timeout=0.0) is None:
            return state
