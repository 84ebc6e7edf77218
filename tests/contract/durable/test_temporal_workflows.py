"""Each of the project's workflows comes to the same on the embedded engine and on Temporal: results, calls, replays."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import partial

import pytest

from gateway.durable.sql import SqlDurableCore
from gateway.storage import Database
from gateway.storage.migrations import migrate
from gateway.workflows import WORKFLOWS
from providers.errors import TemporaryError
from tests.contract.durable.builders import a_signal, a_signal_or_start, ended, until
from tests.contract.durable.temporal_cores import a_temporal_core, fresh_queue

pytestmark = pytest.mark.anyio

CHANGE = {"connection": "work", "repository": "acme/shop", "number": 7}


class World:
    """What the activities answer, in turn, and what they were asked."""

    def __init__(self, **answers):
        self.answers = {name: list(each) for name, each in answers.items()}
        self.asked = []
        self.activities = {name: self._activity(name) for name in answers}

    def _activity(self, name):
        async def answer(*arguments):
            self.asked.append([name, *arguments])
            found = self.answers[name].pop(0)
            if isinstance(found, Exception):
                raise found
            return found

        return answer


async def judge_change(core):
    """Judged with the event's hint, again when another comes while it waits for the end of its validity."""
    hint = {"what": "pushed", "updated_at": "2026-11-24T10:00:00Z"}
    await core.dispatch(a_signal_or_start("j", "judge_change", "changed", hint, input=CHANGE))
    await until(lambda: _awaits(core, "j"))
    await core.dispatch(a_signal_or_start("j", "judge_change", "changed", {**hint, "what": "closed"}, input=CHANGE))
    return await ended(core, "j")


async def report_status(core):
    """Reported although the forge was away for a moment."""
    key = {"connection": "work", "repository_id": "1", "repository": "acme/shop", "sha": "a" * 40, "target_branch": "main"}
    await core.dispatch(a_signal_or_start("r", "report_status", "changed", None, input=key))
    return await ended(core, "r")


async def own_policies(core):
    """Looked at once for three pushes."""
    branch = {"connection": "work", "repository_id": "1", "repository": "acme/shop", "branch": "main"}
    await core.stop()
    for number in range(3):
        await core.dispatch(a_signal_or_start("o", "own_policies", "pushed", number, input=branch))
    await core.start()
    return await ended(core, "o")


async def reconcile(core):
    """All repositories at first, side by side; a new start continues as new; over when the connection is configured no more."""
    input = {"connection": "work", "live_seconds": 3600}
    await core.dispatch(a_signal_or_start("c", "reconcile", "other", None, input=input))
    await until(lambda: _awaits(core, "c"))
    return await _begun_anew(core, "c", input)


async def seal_record(core):
    """Once for a burst."""
    await core.stop()
    for number in range(3):
        await core.dispatch(a_signal_or_start("s", "seal_record", "recorded", number, input=None))
    await core.start()
    return await ended(core, "s")


async def burst(core, name):
    """Three signals that are there before it starts are one piece of work."""
    await core.stop()
    for number in range(3):
        await core.dispatch(a_signal_or_start("b", name, "moved", number, input=CHANGE))
    await core.start()
    return await ended(core, "b")


async def judge_group(core):
    """Judged again while it waits for people, until its answer stands."""
    await core.dispatch(a_signal_or_start("g", "judge_group", "asked", None, input={"connection": "work", "sha": "a" * 40}))
    return await ended(core, "g")


async def forward_submission(core):
    """Held until somebody has spoken, started once, watched to its end."""
    input = {"submission": "s", "held": True, "until": None, "watching": False}
    await core.dispatch(a_signal_or_start("f", "forward_submission", "submitted", None, input=input))
    return await ended(core, "f")


async def end_override(core):
    """One whose end has come already is over at once."""
    input = {**CHANGE, "until": "2000-01-01T00:00:00Z"}
    await core.dispatch(a_signal_or_start("e", "end_override", "given", None, input=input))
    return await ended(core, "e")


async def erase_person(core):
    """Page by page."""
    await core.dispatch(a_signal_or_start("p", "erase_person", "asked", None, input={"actor": "user:work/7", "by": "ana"}))
    return await ended(core, "p")


async def keep_retention(core):
    """Looked once, and then waiting for tomorrow until it is cancelled."""
    await core.dispatch(a_signal_or_start("k", "keep_retention", "started", None, input=None))
    await until(lambda: _awaits(core, "k"))
    await core.cancel("k")
    return await ended(core, "k")


async def sync_relations(core):
    """All of it, once more when a gateway starts, and over when the connection is configured no more."""
    input = {"connection": "work", "every": 3600}
    await core.dispatch(a_signal_or_start("y", "sync_relations", "other", None, input=input))
    await until(lambda: _awaits(core, "y"))
    return await _begun_anew(core, "y", {"start": input})


async def follow_relations(core):
    """Looked at when it starts and when it is told so; over when no server is configured any more."""
    await core.dispatch(a_signal_or_start("l", "follow_relations", "other", None, input={"every": 3600}))
    await until(lambda: _awaits(core, "l"))
    await core.dispatch(a_signal("l", "started", {"every": 3600}))
    return await ended(core, "l")


async def _begun_anew(core, workflow_id, payload):
    """The run that follows when a gateway has started, at its end."""
    first = await core.describe(workflow_id)
    await core.dispatch(a_signal(workflow_id, "started", payload))

    async def second():
        run = await core.describe(workflow_id)
        return run if run.run_id != first.run_id and run.status.ended else None

    return await until(second)


_JUDGED = {"decision": "d", "outcome": "denied", "again": False}
SCRIPTS = {
    "judge_change": (
        judge_change,
        {"judge_change": [{**_JUDGED, "valid_until": "2999-01-01T00:00:00Z"}, {**_JUDGED, "valid_until": None}]},
    ),
    "own_policies": (own_policies, {"own_policies_moved": [3]}),
    "report_status": (report_status, {"report_status": [TemporaryError("away"), "failure"]}),
    "reconcile": (
        reconcile,
        {
            "watched_repositories": [{"live": ["a"], "idle": ["b", "c"]}, None],
            "reconcile_repository": [1, 1, 1],
        },
    ),
    "seal_record": (seal_record, {"seal_record": [12]}),
    "comment_commands": (partial(burst, name="comment_commands"), {"comment_commands": [2]}),
    "relations_moved": (partial(burst, name="relations_moved"), {"ask_again": [4]}),
    "judge_group": (judge_group, {"judge_group": [{"again": True, "state": "pending"}, {"again": False, "state": "success"}]}),
    "forward_submission": (
        forward_submission,
        {
            "start_submission": [TemporaryError("away"), {"state": "running", "ended": False, "until": None}],
            "watch_submission": [{"state": "running", "ended": False}, {"state": "succeeded", "ended": True}],
        },
    ),
    "end_override": (end_override, {}),
    "erase_person": (erase_person, {"erase_person": [{"done": False, "erased": 2}, {"done": True, "erased": 5}]}),
    "keep_retention": (keep_retention, {"retire_record": [3]}),
    "sync_relations": (
        sync_relations,
        {
            "synced_places": [{"organizations": ["acme"], "repositories": ["acme/a", "acme/b"]}, None],
            "sync_place": ["1", "2", "2"],
            "sync_forget": [None],
        },
    ),
    "follow_relations": (follow_relations, {"relations_changed": [{"mark": "1", "moved": True}, None]}),
}
CANCELLED = {"keep_retention"}
"""Those that never come to an end by themselves."""


@asynccontextmanager
async def embedded(folder, activities):
    """The engine in the database."""
    database = Database(f"sqlite:///{folder}/embedded.db")
    migrate(database)
    core = SqlDurableCore(database=database, workflows=WORKFLOWS, activities=activities, poll=0.1)
    await core.start()
    try:
        yield core
    finally:
        await core.stop()
        await database.close()


@asynccontextmanager
async def on_temporal(folder, activities):
    """The same workflow files on a real Temporal server."""
    database = Database(f"sqlite:///{folder}/temporal.db")
    migrate(database)
    try:
        async with a_temporal_core(database, WORKFLOWS, activities, queue=fresh_queue()) as core:
            yield core
    finally:
        await database.close()


@pytest.mark.parametrize("name", sorted(WORKFLOWS))
async def test_workflow_comes_to_the_same_on_both_engines(name, tmp_path):
    """A workflow without a script here fails this test."""
    script, answers = SCRIPTS[name]

    async def played(engine):
        world = World(**answers)
        async with engine(tmp_path, world.activities) as core:
            run = await script(core)
            assert run.status == ("cancelled" if name in CANCELLED else "completed"), run.error
            for each in await core.list():
                await core.replay(each.workflow_id, each.run_id)
            history = await core.history(run.workflow_id, run.run_id)
        return run.result, sorted(map(str, world.asked)), sorted(event.kind for event in history)

    there, here = await asyncio.gather(played(on_temporal), played(embedded))
    assert there == here


async def _awaits(core, workflow_id):
    events = await core.history(workflow_id)
    return events[-1].kind == "SignalAwaited" and events[-1].attributes["timeout"] != 0
