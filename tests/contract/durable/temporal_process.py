"""A process of its own that is killed: `python -m tests.contract.durable.temporal_process '{"what": …}'`."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from gateway.durable.temporal import TemporalDurableCore, relay
from gateway.storage import Database
from gateway.storage.dispatches import write_dispatches
from tests.contract.durable.builders import a_signal_or_start, a_start, quick


async def _two_steps(ctx, input):
    return [await ctx.activity("note", "first"), await ctx.activity("hang", timeout=3600, schedule=quick(0.1))]


async def _count(ctx, input):
    await ctx.wait_signal("n")
    return await ctx.activity("note", input)


async def _note(value):
    return value


async def kill_before_noting(core, database):
    """Sends three, and dies in place of noting it."""

    def die(connection, sent):
        os.kill(os.getpid(), signal.SIGKILL)

    relay.mark_taken = die
    batch = [a_signal_or_start(f"w{number}", "count", "n", number, input=number) for number in range(3)]
    await database.write(lambda connection: write_dispatches(connection, batch, now_ms=1))
    await core.dispatch(a_start("x", "count"))


async def hang(core, database):
    """Begins an attempt that does not end, says so, and waits to be killed."""
    await core.start()
    await core.dispatch(a_start("w", "w"))
    await asyncio.sleep(600)


async def main(scenario):
    folder = Path(scenario["folder"])

    async def hanging():
        (folder / "begun.part").write_text(str(os.getpid()))
        (folder / "begun.part").rename(folder / "begun")
        await asyncio.sleep(600)

    database = Database(f"sqlite:///{folder}/admit.db")
    core = TemporalDurableCore(
        database=database,
        workflows={"w": _two_steps, "count": _count},
        activities={"note": _note, "hang": hanging},
        address=scenario["address"],
        task_queue=scenario["queue"],
        lease=1.0,
    )
    await {"kill_before_noting": kill_before_noting, "hang": hang}[scenario["what"]](core, database)


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
