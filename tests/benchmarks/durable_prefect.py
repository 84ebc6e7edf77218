"""The same load on Prefect, by an environment that has it: `python durable_prefect.py FOLDER COUNT AT_ONCE`.

A flow of three tasks, run where it is called; its own server, which it starts, keeps the states in SQLite in the folder.
"""

from __future__ import annotations

import asyncio
import os
import sys

os.environ |= {
    "PREFECT_HOME": sys.argv[1],
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
}

from durable_load import under_load
from prefect import flow, task


@task
async def one_more(value):
    return value + 1


@flow
async def three_activities(value):
    return await one_more(await one_more(await one_more(value)))


async def one(number):
    assert await three_activities(number) == number + 3


if __name__ == "__main__":
    asyncio.run(under_load(one, int(sys.argv[2]), int(sys.argv[3])))
