"""One process of the durable core under load, for `durable`: `python -m tests.benchmarks.durable_child URL COUNT AT_ONCE`.

COUNT workflows of three trivial activities, AT_ONCE of them on their way at any time; each is dispatched, and waited for
until its result is there. Prints one JSON line.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time

from gateway.domain.dispatch import Dispatch
from gateway.durable.sql import SqlDurableCore
from gateway.storage import Database
from gateway.storage.migrations import migrate


async def one_more(value):
    return value + 1


async def three_activities(ctx, input):
    first = await ctx.activity("one_more", input)
    second = await ctx.activity("one_more", first)
    return await ctx.activity("one_more", second)


async def main(url, count, at_once):
    """Load it, and say how it went."""
    database = Database(url)
    await asyncio.to_thread(migrate, database)
    core = SqlDurableCore(
        database=database, workflows={"three": three_activities}, activities={"one_more": one_more}, concurrency=max(at_once, 1)
    )
    await core.start()
    seconds: list[float] = []
    slots = asyncio.Semaphore(at_once)

    async def one(number, name):
        async with slots:
            begun = time.perf_counter()
            await core.dispatch(Dispatch(id=f"{name}{number}", workflow_id=f"{name}{number}", workflow_type="three", input=number))
            run = await core.result(f"{name}{number}", timeout=300)
            assert run.result == number + 3, run
            seconds.append(time.perf_counter() - begun)

    await asyncio.gather(*(one(number, f"warm{time.time_ns()}-") for number in range(min(count, 20))))
    seconds.clear()
    name, cpu, begun = f"w{time.time_ns()}-", time.process_time(), time.perf_counter()
    await asyncio.gather(*(one(number, name) for number in range(count)))
    took, cpu = time.perf_counter() - begun, time.process_time() - cpu
    idle, idle_begun = time.process_time(), time.perf_counter()
    await asyncio.sleep(2)
    idle = (time.process_time() - idle) / (time.perf_counter() - idle_begun)
    await core.stop()
    await database.close()
    print(json.dumps(figures(count, took, seconds, cpu, idle)))


def figures(count, took, seconds, cpu, idle):
    """What both sides report."""
    ordered = sorted(seconds)
    return {
        "per_second": count / took,
        "p50_ms": 1000 * ordered[len(ordered) // 2],
        "p99_ms": 1000 * ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))],
        "cpu_ms": 1000 * cpu / count,
        "idle_percent": 100 * idle,
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
