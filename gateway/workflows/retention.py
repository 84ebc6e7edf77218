"""Erase what has to go: a person's data, page by page; and once a day what is older than the configuration keeps."""

from __future__ import annotations

import contextlib
from typing import Any

from gateway.durable import ActivityFailed, RetrySchedule, WorkflowContext
from policies import Json

_DAY = 24 * 3600.0
_PAGES = 200
"""Pages before the history is begun afresh."""
_LATER = RetrySchedule(name="retention", delays=(60, 600, 3600))
"""Tomorrow it is looked again, so nothing is tried for long."""


async def erase_person(ctx: WorkflowContext, input: Json) -> Json:
    """input: {actor, by, cursor?}; result: how many pieces were erased."""
    assert isinstance(input, dict)
    cursor: Any = input.get("cursor")
    for _ in range(_PAGES):
        cursor = await ctx.activity("erase_person", input["actor"], cursor, input["by"])
        if cursor["done"]:
            return cursor["erased"]  # type: ignore[no-any-return]
    return ctx.continue_as_new({**input, "cursor": cursor})


async def keep_retention(ctx: WorkflowContext, input: Json) -> Json:
    """Goes on for as long as the gateway is used."""
    while await ctx.wait_signal(timeout=0.0) is not None:
        pass
    with contextlib.suppress(ActivityFailed):  # its attempts are in the history
        await ctx.activity("retire_record", schedule=_LATER, timeout=3600.0)
    await ctx.wait_signal("started", timeout=_DAY)
    return ctx.continue_as_new(None)
