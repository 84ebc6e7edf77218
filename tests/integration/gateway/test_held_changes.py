"""Changes that wait for people: the status says so, and those with the relation release them, for one head, for a while."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from gateway.config import RelationsFile
from gateway.config_workflows import ApprovalSettings
from gateway.domain.clock import utc_now
from policies import Outcome
from tests.e2e.process import write_bundle
from tests.integration.gateway.house import REPOSITORY, a_house
from tests.integration.gateway.submitting import BEN, DAN, EVA, Yard, relations_file

HOLDING = """package merge.release

hold contains {"msg": "a release manager agrees", "relation": "approver", "object": "environment:production"}
"""


def run(test):
    """Tests here are coroutines, each on a loop of its own."""
    return asyncio.run(test)


def held_house(folder, **settings):
    """One whose changes all wait for an approver of production."""
    manifest = "name: acme\npolicies:\n  - {package: merge.release, match: {action: merge}}\n"
    bundle = write_bundle(folder / "acme", {"bundle.yaml": manifest, "release.rego": HOLDING})
    settings.setdefault("approvals", ApprovalSettings(same_person="same_person"))
    return a_house(folder, bundle=bundle, relations=RelationsFile(file=relations_file(folder)), **settings)


async def opened(house):
    """A change, once its status says that it waits."""
    key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, by="zoe")
    await house.deliver()
    decision = await house.decided(key, lambda d: d.outcome is Outcome.HELD)
    await house.turned(decision.change.head_sha, "pending")
    return key, decision.change.head_sha


async def say(house, word, key, person, **body):
    headers = await Yard(house, None).person(person)
    return await house.client.post(f"/v1/changes/work/{REPOSITORY}/{key.number}/{word}", json=body, headers=headers)


def test_a_held_change_is_released_by_somebody_with_the_relation(tmp_path):
    """Pending, saying what it waits for; then success, and the decision says who it was and is good as long as their word."""

    async def story():
        async with held_house(tmp_path) as house:
            key, sha = await opened(house)
            shown = await house.forge.reported(REPOSITORY, sha, "admit/main")
            assert shown.status.description == "Held: a release manager agrees"
            assert (await say(house, "approve", key, DAN)).status_code == 403
            assert (await say(house, "approve", key, BEN, reason="go")).status_code == 202
            await house.turned(sha, "success")
            (decision, *_) = await house.decisions(key)
            assert decision.verdict.released[0].by == (BEN,)
            assert timedelta(days=6) < decision.verdict.valid_until - utc_now() < timedelta(days=7)
            replayed = await house.gateway.services.storage.blob(decision.input_digest)
            assert b'"approvals"' in replayed

    run(story())


def test_a_refusal_fails_the_change_and_an_approval_takes_it_back(tmp_path):
    """The last word of a person counts."""

    async def story():
        async with held_house(tmp_path) as house:
            key, sha = await opened(house)
            await say(house, "refuse", key, BEN, reason="wait for the audit")
            await house.turned(sha, "failure")
            denied = await house.decided(key, lambda d: d.outcome is Outcome.DENIED)
            assert denied.verdict.reason.endswith("refused (a release manager agrees): wait for the audit")
            others = await say(house, "approve", key, EVA)
            assert (others.status_code, others.json()["detail"]) == (409, f"{REPOSITORY}#{key.number} waits for nobody: it is denied")
            assert (await say(house, "approve", key, BEN)).status_code == 202
            await house.turned(sha, "success")

    run(story())


def test_a_push_asks_for_approval_anew(tmp_path):
    """What was approved was another commit."""

    async def story():
        async with held_house(tmp_path) as house:
            key, sha = await opened(house)
            await say(house, "approve", key, EVA)
            await house.turned(sha, "success")
            house.forge.push(REPOSITORY, "work", {"a": "2"}, by="zoe")
            await house.deliver()
            pushed = await house.decided(key, lambda d: d.change.head_sha != sha)
            assert pushed.outcome is Outcome.HELD
            await house.turned(pushed.change.head_sha, "pending")

    run(story())


def test_an_approval_runs_out(tmp_path):
    """The verdict ends with it, and the change waits again by itself."""

    async def admitted_in_time(house, key, end):
        while utc_now() < end:
            if any(decision.outcome is Outcome.ADMITTED for decision in await house.decisions(key)):
                return True
            await asyncio.sleep(0.02)
        return False

    async def story(seconds):
        folder = tmp_path / str(seconds)
        folder.mkdir()
        async with held_house(folder, approvals=ApprovalSettings(valid_days=seconds / 86400)) as house:
            key, sha = await opened(house)
            await say(house, "approve", key, BEN)
            if not await admitted_in_time(house, key, utc_now() + timedelta(seconds=seconds)):
                return False
            await house.decided(key, lambda d: d.outcome is Outcome.HELD)
            await house.turned(sha, "pending")
            return True

    # a machine that needs longer to judge than the approval is good for gets a longer one
    assert any(run(story(seconds)) for seconds in (4, 20, 100))
