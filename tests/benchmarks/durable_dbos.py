"""The same load on DBOS, run by an environment that has it: `python durable_dbos.py URL COUNT AT_ONCE`. Prints one JSON line.

Workflows are started directly, not by a queue: DBOS's queues poll, which costs it more than half of its throughput.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
import uuid

from dbos import DBOS


@DBOS.step()
async def one_more(value):
    return value + 1


@DBOS.workflow()
async def three_activities(value):
    return await one_more(await one_more(await one_more(value)))


async def main(count, at_once):
    seconds: list[float] = []
    slots = asyncio.Semaphore(at_once)

    async def one(number):
        async with slots:
            begun = time.perf_counter()
            handle = await DBOS.start_workflow_async(three_activities, number)
            assert await handle.get_result(polling_interval_sec=0.05) == number + 3
            seconds.append(time.perf_counter() - begun)

    await asyncio.gather(*(one(number) for number in range(min(count, 20))))
    seconds.clear()
    cpu, begun = time.process_time(), time.perf_counter()
    await asyncio.gather(*(one(number) for number in range(count)))
    took, cpu = time.perf_counter() - begun, time.process_time() - cpu
    idle, idle_begun = time.process_time(), time.perf_counter()
    await asyncio.sleep(2)
    idle = (time.process_time() - idle) / (time.perf_counter() - idle_begun)
    ordered = sorted(seconds)
    print(
        json.dumps(
            {
                "per_second": count / took,
                "p50_ms": 1000 * ordered[len(ordered) // 2],
                "p99_ms": 1000 * ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))],
                "cpu_ms": 1000 * cpu / count,
                "idle_percent": 100 * idle,
                "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    )


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
    asyncio.run(main(int(sys.argv[2]), int(sys.argv[3])))
    DBOS.destroy()
