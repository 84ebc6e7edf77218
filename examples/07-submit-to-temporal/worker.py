"""A worker as a team has it already: it knows nothing of the gateway. Run as `python worker.py ADDRESS`."""

from __future__ import annotations

import asyncio
import sys

from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import Worker


@workflow.defn
class DeployWorkflow:
    """The input is what was submitted, judged and recorded."""

    @workflow.run
    async def run(self, input: dict[str, str]) -> str:
        return f"{input['version']} is on {input['environment']}"


async def main(address: str) -> None:
    async with Worker(await Client.connect(address), task_queue="deploys", workflows=[DeployWorkflow]):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
