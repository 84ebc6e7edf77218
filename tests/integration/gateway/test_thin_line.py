"""Webhook to status through every tier, with a forge in memory: what each outcome needs, and what never happens."""

from __future__ import annotations

import asyncio

import pytest

from policies import Outcome, Reason
from tests.integration.gateway.house import REPOSITORY, a_bundle_folder, a_house


def run(test):
    """Tests here are coroutines, each on a loop of its own."""
    return asyncio.run(test)


def test_a_delivery_becomes_a_decision_and_a_status(tmp_path):
    """Acknowledged with 202, judged, recorded, reported."""

    async def story():
        async with a_house(tmp_path) as house:
            key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, labels=["bug"])
            answers = await house.deliver()
            assert {answer.status_code for answer in answers} == {202}
            decision = await house.decided(key, lambda d: True)
            assert decision.outcome is Outcome.ADMITTED
            await house.turned(decision.change.head_sha, "success")

    run(story())


def test_what_is_denied_turns_when_its_facts_do(tmp_path):
    """The label comes: admitted. It goes: denied again."""

    async def story():
        async with a_house(tmp_path) as house:
            key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"})
            await house.deliver()
            decision = await house.decided(key, lambda d: d.outcome is Outcome.DENIED)
            sha = decision.change.head_sha
            await house.turned(sha, "failure")
            house.forge.label(key, "bug")
            await house.deliver()
            await house.turned(sha, "success")
            house.forge.label(key)
            await house.deliver()
            await house.turned(sha, "failure")

    run(story())


def test_a_policy_that_loops_is_killed_and_ends_undecided(tmp_path):
    """The deadline holds, another policy's denial still shows, and the gateway goes on judging."""
    looping = """package merge.label

deny contains "no label" if count(input.change.labels) == 0
"""
    other = """package merge.loop

deny contains "found" if {
	many := numbers.range(1, 3000)
	some a in many
	some b in many
	some c in many
	a * b * c == -1
}
"""
    folder = a_bundle_folder(tmp_path, looping, more="  - package: merge.loop\n    match: {action: merge}\n")
    (folder / "loop.rego").write_text(other)

    async def story():
        async with a_house(tmp_path, bundle=folder, engine={"evaluation_deadline": 0.5}) as house:
            labelled = house.forge.open_change(REPOSITORY, head="one", files={"a": "1"}, labels=["bug"])
            await house.deliver()
            undecided = await house.decided(labelled, lambda d: True)
            assert undecided.outcome is Outcome.UNDECIDED
            assert undecided.verdict.faults[0].reason is Reason.POLICY_TIMED_OUT
            await house.turned(undecided.change.head_sha, "error")

            bare = house.forge.open_change(REPOSITORY, head="two", files={"b": "1"})
            await house.deliver()
            denied = await house.decided(bare, lambda d: True)
            assert denied.outcome is Outcome.DENIED
            assert denied.verdict.violations[0].message == "no label"
            assert denied.verdict.faults

    run(story())


@pytest.mark.parametrize("trouble", ["torn", "down", "refusing", "rate_limited"])
def test_a_forge_in_trouble_is_undecided_at_most_and_heals(tmp_path, trouble):
    """Whatever the forge does, nothing is admitted on facts that were not read whole; when it is over, judging goes on."""

    async def story():
        async with a_house(tmp_path) as house:
            weather = house.forge.weather
            key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, labels=["bug"])
            if trouble == "torn":
                weather.torn()
            elif trouble == "rate_limited":
                weather.rate_limited("read_change", retry_after=1)
            else:
                getattr(weather, trouble)("read_change")
            await house.deliver()
            decision = await house.decided(key, lambda d: True)
            assert decision.outcome is Outcome.UNDECIDED
            await house.turned(decision.change.head_sha, "error")
            weather.clear()
            if trouble == "refusing":  # permanent: waits for an event
                house.forge.comment(key, "again, please", by="ben")
                await house.deliver()
            await house.turned(decision.change.head_sha, "success")

    run(story())


def test_a_forge_that_is_away_is_asked_again_until_it_is_back(tmp_path):
    """Not even a summary can be had: the activity is retried, nothing is recorded, nothing is lost."""

    async def story():
        async with a_house(tmp_path) as house:
            key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, labels=["bug"])
            house.forge.weather.down()
            await house.deliver()
            await asyncio.sleep(0.5)
            assert await house.decisions(key) == ()
            house.forge.weather.clear()
            decision = await house.decided(key, lambda d: True)
            assert decision.outcome is Outcome.ADMITTED

    run(story())


def test_two_changes_with_one_head_share_its_status_and_the_worst_counts(tmp_path):
    """A labelled and a bare change propose the same commit onto main: the commit is not good."""

    async def story():
        async with a_house(tmp_path) as house:
            good = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, labels=["bug"])
            await house.deliver()
            decision = await house.decided(good, lambda d: True)
            sha = decision.change.head_sha
            await house.turned(sha, "success")
            bad = house.forge.open_change(REPOSITORY, head="work")
            await house.deliver()
            await house.turned(sha, "failure")
            house.forge.close_change(bad)
            await house.deliver()
            await house.turned(sha, "success")

    run(story())


def test_many_events_are_few_judgements(tmp_path):
    """A burst of comments is coalesced."""

    async def story():
        async with a_house(tmp_path) as house:
            key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, labels=["bug"])
            for number in range(200):
                house.forge.comment(key, f"comment {number}", by="ben")
            await house.deliver()
            await house.decided(key, lambda d: True)
            await asyncio.sleep(3)
            run_of_it = await house.gateway.core.list(type="judge_change")
            histories = [await house.gateway.core.history(run.workflow_id, run.run_id) for run in run_of_it]
            judged = sum("judge_change" in str(event.attributes) and "schedul" in event.kind.lower() for h in histories for event in h)
            assert 1 <= judged < 20

    run(story())


def test_the_gateways_own_statuses_judge_nothing(tmp_path):
    """Its own report comes back as an event; that must not begin a circle."""

    async def story():
        async with a_house(tmp_path) as house:
            key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, labels=["bug"])
            await house.deliver()
            decision = await house.decided(key, lambda d: True)
            await house.turned(decision.change.head_sha, "success")
            await house.gateway.core.result(decision.change.workflow_id, timeout=240)
            before = await house.decisions(key)
            assert await house.deliver(), "the forge has told of the status"
            await asyncio.sleep(0.5)
            assert await house.decisions(key) == before, "nothing was judged again, not even to be confirmed"
            assert house.forge.outbox() == [], "and nothing was posted again"

    run(story())


def test_a_forged_status_is_replaced(tmp_path):
    """Somebody else's success under the gateway's name does not stand, whatever the change is worth."""

    async def story():
        async with a_house(tmp_path) as house:
            key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"})
            await house.deliver()
            decision = await house.decided(key, lambda d: d.outcome is Outcome.DENIED)
            sha = decision.change.head_sha
            await house.turned(sha, "failure")
            await house.deliver()
            house.forge.post_status(REPOSITORY, sha, "admit/main", "success", by="mallory")
            assert await house.status(sha) == "success"
            await house.deliver()
            await house.turned(sha, "failure")
            found = await house.forge.reported(REPOSITORY, sha, "admit/main")
            assert found.ours
            assert len(await house.decisions(key)) == 1, "it is no new question"

    run(story())


def test_an_admission_is_withdrawn_when_its_change_is_closed(tmp_path):
    """Else the next change with that commit would find the branch open until it is judged."""

    async def story():
        async with a_house(tmp_path) as house:
            key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, labels=["bug"])
            await house.deliver()
            decision = await house.decided(key, lambda d: d.outcome is Outcome.ADMITTED)
            sha = decision.change.head_sha
            await house.turned(sha, "success")
            house.forge.close_change(key)
            await house.deliver()
            await house.turned(sha, "pending")
            house.forge.reopen_change(key)
            await house.deliver()
            await house.turned(sha, "success")
            house.forge.merge_outside(key, by="ana")
            await house.deliver()
            await asyncio.sleep(1)
            assert await house.status(sha) == "success"

    run(story())
