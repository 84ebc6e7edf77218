"""Keep the status of one (repository, sha, target branch) right: report, and again if something changed meanwhile."""

from __future__ import annotations

from gateway.durable import Signal, WorkflowContext
from policies import Json


async def report_status(ctx: WorkflowContext, input: Json) -> Json:
    """input: {connection, repository_id, repository, sha, target_branch}; result: the state that was reported, or null."""
    arrived = await ctx.wait_signal(timeout=0.0)
    while True:
        check = False
        while arrived is not None:
            check = check or _asks_to_check(arrived)
            arrived = await ctx.wait_signal(timeout=0.0)
        state = await ctx.activity("report_status", input, check)
        arrived = await ctx.wait_signal(timeout=0.0)
        if arrived is None:
            return state


def _asks_to_check(signal: Signal) -> bool:
    return isinstance(signal.payload, dict) and bool(signal.payload.get("check"))
