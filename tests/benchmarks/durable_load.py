"""The same load for everybody: COUNT workflows, AT_ONCE on their way at any time, each waited for until its result is there.

Standard library only: it is imported by programs that run in environments of others.
"""

from __future__ import annotations

import asyncio
import json
import resource
import time
from contextlib import suppress

_IDLE = 2.0


def run(main):
    """As a program that means to be quick runs, ours included (`admit serve`): on libuv's loop, where the environment has it."""
    factory = None
    with suppress(ImportError):
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main)


async def under_load(one, count, at_once):
    """`one(number)` is a whole workflow. Prints one JSON line: rate, latencies, this process's CPU and memory, idle CPU."""
    seconds = []
    slots = asyncio.Semaphore(at_once)

    async def timed(number):
        async with slots:
            begun = time.perf_counter()
            await one(number)
            seconds.append(time.perf_counter() - begun)

    await asyncio.gather(*(timed(-number - 1) for number in range(min(count, 20))))
    seconds.clear()
    cpu, begun = time.process_time(), time.perf_counter()
    await asyncio.gather(*(timed(number) for number in range(count)))
    took, cpu = time.perf_counter() - begun, time.process_time() - cpu
    idle, idle_begun = time.process_time(), time.perf_counter()
    await asyncio.sleep(_IDLE)
    idle = (time.process_time() - idle) / (time.perf_counter() - idle_begun)
    ordered = sorted(seconds)
    figures = {
        "per_second": count / took,
        "p50_ms": 1000 * ordered[len(ordered) // 2],
        "p99_ms": 1000 * ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))],
        "cpu_ms": 1000 * cpu / count,
        "idle_percent": 100 * idle,
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(figures))
