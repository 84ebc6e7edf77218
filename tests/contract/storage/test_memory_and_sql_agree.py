"""Storage in memory is what tests and the demo run on: whatever is done to it, it must answer as SQL does."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.domain.record import FactsOrigin
from gateway.storage import Database, DecisionFilter
from gateway.storage.memory import MemoryStorage
from gateway.storage.migrations import migrate
from gateway.storage.sql import SqlStorage
from policies.model import Outcome
from tests.contract.storage.builders import (
    NOON,
    a_bundle,
    a_decision,
    a_delivery,
    a_dispatch,
    a_ref,
    a_report,
    a_tracked,
    a_verdict,
    minutes,
    some_facts,
)

few = st.integers(0, 2)
refs = st.builds(
    lambda number, case, head, target: a_ref(
        number=number, repository=["acme/Shop", "ACME/shop", "acme/other"][case], head_sha="abc"[head] * 40, target_branch=target
    ),
    few,
    few,
    few,
    st.sampled_from(["main", "release"]),
)
times = st.integers(0, 5).map(lambda count: NOON + minutes(count))
outcomes = st.sampled_from(Outcome)
filters = st.builds(
    DecisionFilter,
    connection=st.sampled_from([None, "work", "home"]),
    repository=st.sampled_from([None, "Acme/SHOP", "acme/other", "acme/none"]),
    number=st.none() | few,
    outcome=st.none() | outcomes,
    since=st.none() | times,
    until=st.none() | times,
)


class Both(RuleBasedStateMachine):
    """Everything is done to both; every answer and every exception has to be the same."""

    def __init__(self):
        super().__init__()
        self.folder = tempfile.mkdtemp()
        self.loop = asyncio.new_event_loop()
        database = Database(f"sqlite:///{self.folder}/admit.db")
        migrate(database)
        self.storages = [MemoryStorage(), SqlStorage(database)]
        self.count = 0

    def teardown(self):
        for storage in self.storages:
            self.loop.run_until_complete(storage.close())
        self.loop.close()
        shutil.rmtree(self.folder)

    def both(self, call):
        """The answer both give."""
        first, second = [self.loop.run_until_complete(_answer(call(storage))) for storage in self.storages]
        assert first == second
        return first

    def dispatches(self):
        self.count += 1
        return [a_dispatch(id=f"dispatch-{self.count % 3}")]

    @rule(ref=refs, at=times, outcome=outcomes, title=few, origin=st.sampled_from(FactsOrigin), generation=st.none() | st.integers(0, 3))
    def record(self, ref, at, outcome, title, origin, generation):
        facts = some_facts(at, title=str(title))
        decision = replace(a_decision(facts, change=ref, at=at, verdict=a_verdict(outcome)), facts=origin)
        change, dispatches = a_tracked(decision, updated_at=at), self.dispatches()
        self.both(
            lambda storage: storage.record_decision(decision, facts=facts, change=change, generation=generation, dispatches=dispatches)
        )
        self.both(lambda storage: storage.decision(decision.id))
        self.both(lambda storage: storage.blob(decision.input_digest))

    @rule(ref=refs, at=times, state=st.sampled_from(["open", "closed", "merged"]), outcome=outcomes)
    def track(self, ref, at, state, outcome):
        change, dispatches = replace(a_tracked(ref=ref, state=state, updated_at=at), outcome=outcome), self.dispatches()
        self.both(lambda storage: storage.track_change(change, dispatches))

    @rule(revisions=st.lists(st.sampled_from("abc"), max_size=2, unique=True))
    def activate(self, revisions):
        bundles = [a_bundle(name=name) for name in revisions]
        self.both(lambda storage: storage.activate(bundles, at=NOON, by="ana"))
        for bundle in bundles:
            self.both(lambda storage, bundle=bundle: storage.bundle_files(bundle.id.digest))

    @rule(id=few, body=few)
    def deliver(self, id, body):
        delivery, dispatches = a_delivery(id=str(id), body=bytes(body)), self.dispatches()
        self.both(lambda storage: storage.record_delivery(delivery, dispatches))
        self.both(lambda storage: storage.delivery("work", str(id)))

    @rule(context=st.sampled_from(["admit/main", "admit/Main"]), state=st.sampled_from(["success", "failure"]))
    def report(self, context, state):
        report = a_report(context=context, state=state)
        self.both(lambda storage: storage.record_report(report))
        self.both(lambda storage: storage.posted("work", "12", "a" * 40, context))

    @rule(filter=filters, limit=st.integers(1, 4))
    def list(self, filter, limit):
        cursor = None
        while True:
            page = self.both(lambda storage, cursor=cursor: storage.decisions(filter, limit=limit, cursor=cursor))
            if (cursor := page.cursor) is None:
                return

    @rule(ref=refs)
    def look(self, ref):
        self.both(lambda storage: storage.change("work", ref.repository, ref.number))
        self.both(lambda storage: storage.changes_with_head("work", "12", ref.head_sha))

    @invariant()
    def the_generation_is_the_same(self):
        self.both(lambda storage: storage.generation())


async def _answer(call):
    try:
        return await call
    except Exception as problem:
        return type(problem)


TestBoth = Both.TestCase
TestBoth.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
