"""A gateway is killed at each commit point between a submission and the end of its run, before it and after it: one run comes of it.

A life ends as kill -9 ends it: nothing it does reaches the database any more, and the next one finds what was committed.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
import threading
import uuid
from contextlib import contextmanager

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from gateway.config import Settings
from gateway.config_workflows import WorkflowSettings
from gateway.domain.clock import utc_now
from gateway.domain.people import Speaker
from gateway.domain.submission import SubmissionState
from gateway.durable.sql import SqlDurableCore
from gateway.operations.in_force import InForce
from gateway.operations.judge import Judge
from gateway.operations.submit import Wanted
from gateway.running_submissions import build_submitting
from gateway.storage import Database, DecisionFilter, StoredBundle
from gateway.storage.migrations import migrate
from gateway.storage.sql import SqlStorage
from gateway.storage.sql.submissions import SqlSubmissions
from gateway.workflows import WORKFLOWS
from policies.bundles.checking import checked_bundle
from policies.bundles.directory import read_bundle
from policies.engines.opa_library import OpaLibrary
from policies.relations.absent import NoRelations
from providers.targets.memory import MemoryTarget
from providers.targets.temporal import TemporalTarget
from tests.contract.durable.test_sql_commit_points import MortalDatabase
from tests.e2e.process import PATIENCE, write_bundle
from tests.servers.temporal import session_temporal

REGO = 'package deploy.rules\n\ndeny contains "to the moon" if input.workflow.input.place == "moon"\n'
SETTINGS = Settings(workflows=(WorkflowSettings(name="deploy", targets=("production",)),))
ANA = Speaker(ref="user:work/1", name="ana")


@workflow.defn(name="Deploy")
class Deploy:
    """Ends at once."""

    @workflow.run
    async def run(self, input: dict) -> dict:
        return input


@contextmanager
def on_temporal():
    """How a process gets its target on a real server: a task queue of its own, served by a worker that outlives them all."""
    address = session_temporal()  # begun here: a server goes with the thread that began it
    queue, loop = f"deploys-{uuid.uuid4()}", asyncio.new_event_loop()
    served, over = threading.Event(), asyncio.Event()

    async def serve():
        client = await Client.connect(address)
        async with Worker(client, task_queue=queue, workflows=[Deploy], workflow_runner=UnsandboxedWorkflowRunner()):
            served.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=[serve()])
    thread.start()
    try:
        assert served.wait(PATIENCE)
        yield lambda: TemporalTarget(
            "production", address=address, namespace="default", task_queue=queue, workflows={"deploy": "Deploy"}, timeout=60
        )
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


@contextmanager
def in_memory():
    """One target that outlives every process."""
    target = MemoryTarget("production", ["deploy"], automatic=True)
    yield lambda: target


async def prepared(folder, engine):
    """A database with a bundle in force; every life begins on a copy of it."""
    bundle = write_bundle(
        folder / "acme",
        {"bundle.yaml": "name: acme\npolicies:\n  - {package: deploy.rules, match: {action: submit}}\n", "deploy.rego": REGO},
    )
    checked = await checked_bundle(read_bundle(bundle), engine)
    database = Database(f"sqlite:///{folder}/prepared.db")
    migrate(database)
    storage = SqlStorage(database)
    await storage.activate([StoredBundle(id=checked.id, files=checked.files)], at=utc_now(), by="test")
    await storage.close()


class House:
    """One process' worth of gateway over a database, mortal or not."""

    def __init__(self, database, engine, target):
        self.storage, self.submissions = SqlStorage(database), SqlSubmissions(database)
        judge = Judge(in_force=InForce(storage=self.storage, engine=engine), engine=engine, relations=NoRelations(), clock=utc_now)
        self.submitting = build_submitting(
            SETTINGS,
            judge=judge,
            storage=self.storage,
            submissions=self.submissions,
            forges={},
            targets={"production": target},
            clock=utc_now,
        )
        handlers = self.submitting.activities()
        self.core = SqlDurableCore(database=database, workflows=WORKFLOWS, activities=handlers, poll=0.02, lease=0.25)

    async def work(self):
        """Ask, as a caller does who asks again until there is an answer, and carry it to its end."""
        await self.core.start()
        answer = await self.submitting.submit(Wanted(workflow="deploy", input={"place": "earth"}, key="k"), ANA)
        self.core.wake()
        run = await self.core.result(answer.submission.workflow_id, timeout=PATIENCE)
        assert run.status == "completed", run.error
        await self.core.stop()
        return answer.submission.id


async def life(url, engine, a_target, dies_at, *, before):
    """One process, to the end of its work or to its own: (writes it made, the submission's id if it lived)."""
    earlier = asyncio.all_tasks()
    database, target = Database(url), a_target()
    mortal = MortalDatabase(database, dies_at, before)
    house = House(mortal, engine, target)
    dying, living = asyncio.create_task(mortal.dead.wait()), asyncio.create_task(house.work())
    await asyncio.wait({dying, living}, return_when=asyncio.FIRST_COMPLETED)
    lived = living.result() if not mortal.dead.is_set() else None
    mortal.dead.set()
    its = [task for task in asyncio.all_tasks() if task not in earlier]
    for task in its:
        task.cancel()
    await asyncio.gather(*its, return_exceptions=True)
    await target.close()
    await database.close()
    return mortal.writes, lived


async def runs_of(url, id, a_target):
    """(how the submission stands, how many runs there are for any decision that was ever recorded)."""
    database = Database(url)
    storage = SqlStorage(database)
    submission = await SqlSubmissions(database).submission(id)
    decisions = (await storage.decisions(DecisionFilter(), limit=200)).decisions
    target = a_target()
    found = [await target.find("deploy", decision.id) for decision in decisions]
    await target.close()
    await storage.close()
    return submission.state, sum(run is not None for run in found)


@pytest.mark.parametrize("before", [True, False], ids=["before the commit", "after the commit"])
@pytest.mark.parametrize("targets", [in_memory, on_temporal])
def test_a_gateway_killed_at_any_commit_point_starts_one_run(tmp_path, targets, before):
    """Every commit point, one after another, and each time the caller asks again under its key."""

    async def story(a_target):
        engine = OpaLibrary(compile_deadline=60, evaluation_deadline=60)
        try:
            await prepared(tmp_path, engine)
            for point in itertools.count(1):
                url = f"sqlite:///{tmp_path}/{point}.db"
                shutil.copy(tmp_path / "prepared.db", tmp_path / f"{point}.db")
                writes, lived = await life(url, engine, a_target, point, before=before)
                if lived is None:
                    _, lived = await life(url, engine, a_target, 0, before=before)
                assert await runs_of(url, lived, a_target) == (SubmissionState.SUCCEEDED, 1), f"killed at {point}"
                if writes < point:
                    return point  # it lived: that was all there are
        finally:
            await engine.close()

    with targets() as a_target:
        assert asyncio.run(story(a_target)) > 8
