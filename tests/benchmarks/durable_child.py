"""One process of the durable core under load, for `durable`: `python -m tests.benchmarks.durable_child URL COUNT AT_ONCE`.

Each workflow of three trivial activities is dispatched, and waited for until its result is there.
"""

from __future__ import annotations

import asyncio
import sys
import time

from gateway.domain.dispatch import Dispatch
from gateway.durable.sql import SqlDurableCore
from gateway.storage import Database
from gateway.storage.migrations import migrate
from tests.benchmarks.durable_load import run, under_load


async def one_more(value):
    return value + 1


async def three_activities(ctx, input):
    first = await ctx.activity("one_more", input)
    second = await ctx.activity("one_more", first)
    return await ctx.activity("one_more", second)


async def main(url, count, at_once):
    database = Database(url)
    await asyncio.to_thread(migrate, database)
    core = SqlDurableCore(database=database, workflows={"three": three_activities}, activities={"one_more": one_more})
    await core.start()
    name = f"w{time.time_ns()}"

    async def one(number):
        id = f"{name}:{number}"
        await core.dispatch(Dispatch(id=id, workflow_id=id, workflow_type="three", input=number))
        run = await core.result(id, timeout=300)
        assert run.result == number + 3, run

    await under_load(one, count, at_once)
    await core.stop()
    await database.close()


if __name__ == "__main__":
    run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
