"""The same load on Temporal: `python durable_temporal.py ADDRESS COUNT AT_ONCE`. Local activities and no sandbox, its fastest way."""

from __future__ import annotations

import sys
import uuid
from datetime import timedelta

from durable_load import run, under_load
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker


@activity.defn
async def one_more(value: int) -> int:
    return value + 1


@workflow.defn
class ThreeActivities:
    @workflow.run
    async def run(self, value: int) -> int:
        for _ in range(3):
            value = await workflow.execute_local_activity(one_more, value, start_to_close_timeout=timedelta(seconds=60))
        return value


async def main(address, count, at_once):
    client, queue = await Client.connect(address), uuid.uuid4().hex
    worker = Worker(
        client, task_queue=queue, workflows=[ThreeActivities], activities=[one_more], workflow_runner=UnsandboxedWorkflowRunner()
    )

    async def one(number):
        assert await client.execute_workflow(ThreeActivities.run, number, id=uuid.uuid4().hex, task_queue=queue) == number + 3

    async with worker:
        await under_load(one, count, at_once)


if __name__ == "__main__":
    run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
