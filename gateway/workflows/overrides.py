"""Wait for an override's end, then have the change judged and reported without it. Apart from judging, which may be stuck."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from gateway.durable import WorkflowContext
from policies import Json


async def end_override(ctx: WorkflowContext, input: Json) -> Json:
    """input: {connection, repository, number, until}; result: null."""
    assert isinstance(input, dict)
    until = datetime.fromisoformat(str(input["until"]))
    left: Any = (until - ctx.now()).total_seconds()
    while left > 0:
        await ctx.sleep(left)
        left = await ctx.activity("end_override", input)  # clocks differ: it says how much is left by the gateway's
    return None
