"""Judge a merge group until its answer stands, or nobody waits for it any more."""

from __future__ import annotations

from typing import Any

from gateway.durable import WorkflowContext
from policies import Json

_PAUSES = (1.0, 5.0, 15.0, *(60.0 for _ in range(60)))
"""Seconds between judgements of one that waits for people or met a fault; a queue gives up after an hour by default."""
_TRIES = 4
"""Judgements that met a fault which may pass, before it is reported as one."""


async def judge_group(ctx: WorkflowContext, input: Json) -> Json:
    """input: {connection} and the fields of a MergeGroup; result: the state last reported, or null where the group ended.

    Each `asked` has it judged once more; `ended` is the end.
    """
    for tried, pause in enumerate((*_PAUSES, 0.0)):
        while (arrived := await ctx.wait_signal(timeout=0.0)) is not None:
            if arrived.name == "ended":
                return None
        answer: Any = await ctx.activity("judge_group", input, max(0, _TRIES - tried))
        arrived = await ctx.wait_signal(timeout=pause if answer["again"] else 0.0)
        if arrived is not None and arrived.name == "ended":
            return None
        if arrived is None and not answer["again"]:
            break
    return answer["state"]  # type: ignore[no-any-return]
