"""The same load on DBOS, run by an environment that has it: `python durable_dbos.py URL COUNT AT_ONCE [queued]`.

Started directly, which is its fastest way; or `queued`, as work for another process would be, with a queue that polls
twenty times as often as by default.
"""

from __future__ import annotations

import sys
import uuid

from dbos import DBOS
from durable_load import run, under_load


@DBOS.step()
async def one_more(value):
    return value + 1


@DBOS.workflow()
async def three_activities(value):
    return await one_more(await one_more(await one_more(value)))


async def main(count, at_once, queue):
    async def one(number):
        if queue is None:
            handle = await DBOS.start_workflow_async(three_activities, number)
        else:
            handle = await queue.enqueue_async(three_activities, number)
        assert await handle.get_result(polling_interval_sec=0.05) == number + 3

    await under_load(one, count, at_once)


if __name__ == "__main__":
    DBOS(
        config={
            "name": f"bench-{uuid.uuid4().hex[:8]}",
            "system_database_url": sys.argv[1],
            "run_admin_server": False,
            "log_level": "ERROR",
        }
    )
    DBOS.launch()
    queue = DBOS.register_queue("three", polling_interval_sec=0.05) if "queued" in sys.argv else None
    run(main(int(sys.argv[2]), int(sys.argv[3]), queue))
    DBOS.destroy()
