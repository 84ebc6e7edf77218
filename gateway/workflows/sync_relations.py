"""Keep relationship tuples level with a connection's forge: one workflow for each connection.

All of it when a gateway starts and then every so often, which heals what no webhook told; between two passes a membership
webhook has the place it names read anew at once, and everything where it names none. What cannot be read is asked for
again by the next pass.
"""

from __future__ import annotations

from typing import Any

from gateway.durable import ActivityFailed, RetrySchedule, WorkflowContext
from policies import Json

_SOON = RetrySchedule(name="sync", delays=(1, 5, 15, 60))
"""The next pass comes by itself, so nothing is tried for long."""
_UNREAD = ""
_ROUNDS = 100
"""Webhooks between two full passes, before the history is begun afresh."""


async def sync_relations(ctx: WorkflowContext, input: Json) -> Json:
    """input: {connection, every}; a signal's payload: {organization, repository}, or {start: input} for all of it.

    It goes on until the connection is configured no more.
    """
    assert isinstance(input, dict)
    connection, every = input["connection"], float(str(input["every"]))
    while (early := await ctx.wait_signal(timeout=0.0)) is not None:
        input = _configured(early.payload) or input
    if not await _everything(ctx, connection):
        return None
    for _ in range(_ROUNDS):
        told = await ctx.wait_signal(timeout=every)
        if told is None:
            break
        if (again := _configured(told.payload)) is not None:
            return ctx.continue_as_new(again)
        place: Any = told.payload
        wanted = [(kind, place[kind]) for kind in ("organization", "repository") if place[kind] is not None]
        if not wanted:
            break
        for kind, name in wanted:
            await _level(ctx, connection, kind, name)
    return ctx.continue_as_new(input)


async def _everything(ctx: WorkflowContext, connection: Json) -> bool:
    """False where there is nothing to do for this connection, now or later."""
    try:
        found: Any = await ctx.activity("synced_places", connection, schedule=_SOON)
    except ActivityFailed:
        return True  # its attempts are in the history
    if found is None:
        return False
    ids = [await _level(ctx, connection, "organization", name) for name in found["organizations"]]
    if _UNREAD not in ids:
        try:
            await ctx.activity("sync_forget", connection, "organization", [id for id in ids if id is not None], schedule=_SOON)
        except ActivityFailed:
            return True
    await ctx.gather(*(_level(ctx, connection, "repository", name) for name in found["repositories"]))
    return True


async def _level(ctx: WorkflowContext, connection: Json, kind: str, name: Json) -> Json:
    """Its id, null where there is none of that name; a place that cannot be read keeps what it said last."""
    try:
        return await ctx.activity("sync_place", connection, kind, name, schedule=_SOON)
    except ActivityFailed:
        return _UNREAD


def _configured(payload: Json) -> Json:
    """The input a starting gateway gives; None for a webhook's word."""
    return payload.get("start") if isinstance(payload, dict) else None
