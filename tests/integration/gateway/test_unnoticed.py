"""An event that no policy could notice is not judged, and that is never wrong: the same events, judged always, come to the same."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from gateway.domain.clock import utc_now
from gateway.durable import Signal
from gateway.workflows.judge_change import judge_change
from policies import Outcome
from providers.vcs import ChangeEvent, StatusEvent
from tests.integration.gateway.house import REPOSITORY, SECRET, a_bundle_folder, a_house
from tests.integration.gateway.sides import CountedForge, parts, two_sides

STARTERS = Path(__file__).parents[3] / "policies" / "starters"
SETS = {
    "size and title": ["change-size", "title-convention"],
    "labels": ["required-labels", "no-drafts"],
    "checks and threads": ["required-checks", "unresolved-threads"],
    "approvals": ["approvals", "signed-commits"],
}
ASKING = ["veto", "dependencies"]
"""Their verdicts also depend on relationships, and on what becomes of other changes: both may alter without any event."""
DYNAMIC = 'package merge.label\n\ndeny contains "odd" if {\n\tsome key in ["labels", "title"]\n\tcount(input.change[key]) == 0\n}\n'
CLOCK = (
    'package merge.label\n\nwarn contains sprintf("%d", [time.now_ns()])\n\ndeny contains "no label" if count(input.change.labels) == 0\n'
)


def happen(forge, key, source):
    """One thing that happens to a change, drawn."""
    word = source.choice(["bug", "kind/feature", "feat: more", "fix: less", "veto", "x" * 90])
    who = source.choice(["bob", "cleo"])
    head = forge.world.change(key).head_sha
    acts = [
        *[lambda: forge.comment(key, word, by=who)] * 4,
        *[lambda: forge.label(key, *source.sample(["bug", "kind/feature", "wip"], source.randint(0, 2)))] * 3,
        *[lambda: forge.post_status(REPOSITORY, head, source.choice(["build", "test"]), source.choice(["success", "failure"]), by="ci")]
        * 3,
        lambda: forge.request_review(key, of=who),
        lambda: forge.approve(key, by=who),
        lambda: forge.dismiss(key, of=who),
        lambda: forge.discuss(key, "a", by=who, resolved=source.random() < 0.5),
        lambda: forge.edit(key, title=word, body=word, draft=source.random() < 0.3),
        lambda: forge.push(REPOSITORY, "work", {"b": word}),
        lambda: forge.push(REPOSITORY, "main", {"c": word}),
    ]
    source.choice(acts)()


def told(forge, key):
    """What the forge says since it was last asked: the facts touched by each event that is about the change."""
    for delivery in forge.outbox():
        parsed = forge.parse_delivery(delivery.headers, delivery.body)
        match parsed.event:
            case ChangeEvent(key=about) if about == key:
                yield parsed.touches
            case StatusEvent():
                yield parsed.touches


@pytest.mark.parametrize("names", [*SETS.values(), ASKING], ids=[*SETS, "a veto and dependencies"])
def test_judging_where_it_could_be_noticed_is_judging_always(names):
    """After every event of drawn sequences both sides say the same, and one of them has read the forge less often."""

    async def story():
        async with two_sides([STARTERS / name for name in names]) as (forge, skipping, always):
            source, calls, skipped = random.Random(f"{names}"), 0, 0
            key = forge.open_change(REPOSITORY, head="work", files={"a": "1"}, by="ana")
            for _ in range(40):
                for _ in range(source.randint(1, 2)):
                    happen(forge, key, source)
                together = list(told(forge, key))
                if not together:
                    continue
                touches = None if None in together else frozenset().union(*together)
                before = forge.read
                mine = await skipping.judge("work", key, touches=touches)
                skipped += forge.read == before
                theirs = await always.judge("work", key)
                assert parts(mine) == parts(theirs)
                calls += 1
            return skipped, calls

    skipped, calls = asyncio.run(story())
    assert (skipped == 0) if names is ASKING else 0 < skipped < calls


@pytest.mark.parametrize("rego", [DYNAMIC, CLOCK], ids=["a path made while evaluating", "the clock"])
def test_what_cannot_be_told_is_judged(tmp_path, rego):
    """A policy that may look at anything, or at the clock, is asked after every event."""

    async def story():
        async with two_sides([a_bundle_folder(tmp_path, rego)]) as (forge, skipping, _):
            key = forge.open_change(REPOSITORY, head="work", files={"a": "1"}, by="ana", labels=["bug"])
            await skipping.judge("work", key)
            for number in range(3):
                forge.comment(key, str(number), by="bob")
                before = forge.read
                await skipping.judge("work", key, touches=frozenset({"comments"}))
                assert forge.read == before + 1

    asyncio.run(story())


def test_the_first_judgement_and_one_by_other_bundles_are_made(tmp_path):
    """Whatever the event says it touched: there is no decision that could stand."""

    async def story():
        async with two_sides([a_bundle_folder(tmp_path / "one")]) as (forge, skipping, _):
            key = forge.open_change(REPOSITORY, head="work", files={"a": "1"}, by="ana")
            nothing = frozenset()
            first = await skipping.judge("work", key, touches=nothing)
            assert first.outcome is Outcome.DENIED
            assert await skipping.judge("work", key, touches=nothing) == first
            assert forge.read == 1
            await skipping.use(
                [a_bundle_folder(tmp_path / "two", 'package merge.label\n\nwarn contains "bare" if input.change.labels == []\n')]
            )
            assert (await skipping.judge("work", key, touches=nothing)).outcome is Outcome.ADMITTED
            assert forge.read == 2

    asyncio.run(story())


def test_a_comment_no_policy_reads_reaches_the_workflow_and_leaves_the_decision(tmp_path):
    """From the webhook to the activity: the forge is not read for it; a label is."""

    async def story():
        forge = CountedForge(connection="work", webhook_secrets=(SECRET,))
        forge.create_repository(REPOSITORY)
        forge.outbox()
        async with a_house(tmp_path, forge=forge, reconcile_seconds=3600.0) as house:
            key = forge.open_change(REPOSITORY, head="work", files={"a": "1"})
            await house.deliver()
            first = await house.decided(key, lambda decision: True)
            read = forge.read
            forge.comment(key, "what is this?", by="bob")
            await house.deliver()
            forge.label(key, "bug")
            await house.deliver()
            last = await house.decided(key, lambda decision: decision.outcome is Outcome.ADMITTED)
            assert forge.read == read + 1
            assert [decision.id for decision in await house.decisions(key)] == [last.id, first.id]

    asyncio.run(story())


class Told:
    """A workflow's context in which these signals have arrived, and nothing more will."""

    def __init__(self, *payloads):
        self.waiting, self.hints = [Signal(name="event", payload=payload) for payload in payloads], []

    async def wait_signal(self, *names, timeout=None):
        return self.waiting.pop(0) if self.waiting else None

    async def activity(self, name, change, hint):
        self.hints.append(hint)
        return {"decision": "d", "outcome": "admitted", "again": False, "valid_until": None}

    def now(self):
        return utc_now()


def hint(touches, updated_at):
    return {"what": "it", "head_sha": None, "updated_at": updated_at, "by": None, "touches": touches}


@pytest.mark.parametrize(
    ("touched", "all_of_them"),
    [([["labels"], ["comments"]], ["comments", "labels"]), ([["labels"], None], None), ([[]], []), ([None], None)],
    ids=["several", "anything among them", "nothing", "anything"],
)
def test_events_answered_together_touch_what_any_of_them_does(touched, all_of_them):
    """The newest says how new the facts have to be, all of them what may be another."""
    told = Told(*(hint(touches, f"2026-01-0{number + 1}T00:00:00Z") for number, touches in enumerate(touched)))
    asyncio.run(judge_change(told, {"connection": "work", "repository": REPOSITORY, "number": 1}))
    assert [found["touches"] for found in told.hints] == [all_of_them]
    assert told.hints[0]["updated_at"] == f"2026-01-0{len(touched)}T00:00:00Z"
