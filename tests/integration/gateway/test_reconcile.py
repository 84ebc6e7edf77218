"""What webhooks did not tell is found anyway."""

from __future__ import annotations

import asyncio
import importlib

import pytest

from policies import Outcome
from providers.vcs.memory import MemoryForge
from tests.e2e.process import PATIENCE
from tests.integration.gateway.house import REPOSITORY, SECRET, a_house


def test_a_change_nobody_told_about_is_judged(tmp_path):
    """The webhook was lost: the next look at the listing finds it, and what happens to it later too."""

    async def story():
        async with a_house(tmp_path, reconcile_seconds=0.2) as house:
            first = house.forge.open_change(REPOSITORY, head="first", files={"a": "1"}, labels=["bug"])
            await house.deliver()
            await house.decided(first, lambda d: d.outcome is Outcome.ADMITTED)
            with house.forge.silently():
                key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, labels=["bug"])
            decision = await house.decided(key, lambda d: d.outcome is Outcome.ADMITTED)
            await house.turned(decision.change.head_sha, "success")
            with house.forge.silently():
                house.forge.label(key)
            await house.turned(decision.change.head_sha, "failure")
            with house.forge.silently():
                pushed = house.forge.push(REPOSITORY, "work", {"a": "2"})
            await house.turned(pushed, "failure")

    asyncio.run(story())


def test_a_change_that_was_closed_unheard_stops_counting(tmp_path):
    """Two changes with one head: the bad one is closed without a webhook, and the commit is good again."""

    async def story():
        async with a_house(tmp_path, reconcile_seconds=0.2) as house:
            good = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, labels=["bug"])
            bad = house.forge.open_change(REPOSITORY, head="work")
            await house.deliver()
            decision = await house.decided(bad, lambda d: d.outcome is Outcome.DENIED)
            await house.decided(good, lambda d: d.outcome is Outcome.ADMITTED)
            sha = decision.change.head_sha
            await house.turned(sha, "failure")
            with house.forge.silently():
                house.forge.close_change(bad)
            await house.turned(sha, "success")

    asyncio.run(story())


def test_what_happened_while_the_gateway_was_down_is_caught_up_at_start(tmp_path):
    """No delivery is ever sent again; the first look at everything is at once."""
    forge = MemoryForge(connection="work", webhook_secrets=(SECRET,))
    forge.create_repository(REPOSITORY)

    async def before():
        async with a_house(tmp_path, forge=forge):
            pass

    async def after():
        async with a_house(tmp_path, forge=forge) as house:
            decision = await house.decided(key, lambda d: True)
            assert decision.outcome is Outcome.ADMITTED

    asyncio.run(before())
    key = forge.open_change(REPOSITORY, head="work", files={"a": "1"}, labels=["bug"])
    forge.outbox()
    asyncio.run(after())


def test_repositories_that_are_not_watched_are_left_alone(tmp_path):
    """Neither a webhook nor a listing makes the gateway judge there."""
    from gateway.config import Connection

    async def story():
        connection = Connection(name="work", forge="memory", repositories=("other/*",))
        async with a_house(tmp_path, connections=(connection,), reconcile_seconds=0.2) as house:
            house.forge.create_repository("other/one")
            house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, labels=["bug"])
            watched = house.forge.open_change("other/one", head="work", files={"a": "1"}, labels=["bug"])
            answers = await house.deliver()
            assert {answer.status_code for answer in answers} == {202}
            await house.decided(watched, lambda d: True)
            await passes(house)
            assert {decision.change.repository for decision in await house.decisions()} == {"other/one"}

    asyncio.run(story())


async def passes(house, wanted=3):
    """Until reconciling has looked at everything so often from now on."""
    listed, plain = [], house.forge.repositories

    async def counted(patterns):
        listed.append(patterns)
        return await plain(patterns)

    house.forge.repositories = counted
    async with asyncio.timeout(PATIENCE):
        while len(listed) <= wanted:  # the last of them has only begun
            await asyncio.sleep(0.02)
    house.forge.repositories = plain


def test_nothing_that_is_known_is_judged_again(tmp_path):
    """A pass over repositories where nothing happened judges nothing."""

    async def story():
        async with a_house(tmp_path, reconcile_seconds=0.2) as house:
            key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, labels=["bug"])
            await house.deliver()
            decision = await house.decided(key, lambda d: True)
            await house.turned(decision.change.head_sha, "success")
            await passes(house)  # one that had begun before may have found something to judge
            await house.gateway.core.result(decision.change.workflow_id, timeout=PATIENCE)
            before = await house.decisions(key)
            await passes(house)
            await house.gateway.core.result(decision.change.workflow_id, timeout=PATIENCE)
            assert await house.decisions(key) == before, "nothing was judged again, not even to be confirmed"

    asyncio.run(story())


@pytest.mark.parametrize("method", ["repositories", "open_changes"])
def test_a_listing_that_fails_is_asked_again(tmp_path, method):
    """The pass is not lost with the forge's bad minute."""

    async def story():
        async with a_house(tmp_path, reconcile_seconds=0.2) as house:
            house.forge.weather.down(method, times=1)
            with house.forge.silently():
                key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, labels=["bug"])
            await house.client.post("/v1/workflows/reconcile:work/retry")
            house.forge.open_change(REPOSITORY, head="other", files={"b": "1"}, labels=["bug"])
            await house.deliver()
            decision = await house.decided(key, lambda d: True)
            assert decision.outcome is Outcome.ADMITTED

    asyncio.run(story())


def test_what_no_listing_shows_is_found_by_judging_admitted_changes_again(tmp_path, monkeypatch):
    """A forge may change facts without a webhook and without moving `updated_at`; nothing admitted is believed for ever."""
    monkeypatch.setattr(importlib.import_module("gateway.workflows.reconcile"), "IDLE_ROUNDS", 2)

    async def story():
        async with a_house(tmp_path, reconcile_seconds=0.2) as house:
            key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, labels=["bug"])
            await house.deliver()
            decision = await house.decided(key, lambda d: d.outcome is Outcome.ADMITTED)
            await house.turned(decision.change.head_sha, "success")
            stored = house.forge.world.change(key)
            stored.labels = ()
            await house.turned(decision.change.head_sha, "failure")

    asyncio.run(story())
