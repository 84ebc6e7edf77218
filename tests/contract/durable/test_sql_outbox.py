"""What an operation writes to the outbox is taken at once, and not only when the engine next looks by itself."""

from __future__ import annotations

import pytest

from gateway.durable import UnknownWorkflow
from gateway.durable.sql import SqlDurableCore
from gateway.storage.dispatches import write_dispatches
from tests.contract.durable.builders import a_signal_or_start, ended, until

pytestmark = pytest.mark.anyio

HOURS = 7200.0
"""Between two looks of the engine's own: whoever waited for one would wait longer than any test does."""


async def test_what_an_activity_sets_going_begins_when_it_is_committed(database):
    """Nobody calls `wake`: the database that both share tells of it."""

    async def first(ctx, input):
        return await ctx.activity("write")

    async def second(ctx, input):
        return "begun"

    async def write():
        dispatch = a_signal_or_start("second", "second", "go", None, input=None)
        await database.write(lambda c: write_dispatches(c, [dispatch], now_ms=0))
        return "written"

    core = SqlDurableCore(database=database, workflows={"first": first, "second": second}, activities={"write": write}, poll=HOURS)
    await core.start()
    try:
        await core.dispatch(a_signal_or_start("first", "first", "go", None, input=None))
        assert (await ended(core, "first")).result == "written"
        await until(lambda: _known(core, "second"))
        assert (await ended(core, "second")).result == "begun"
    finally:
        await core.stop()


async def _known(core, workflow_id):
    try:
        return await core.describe(workflow_id)
    except UnknownWorkflow:
        return None
