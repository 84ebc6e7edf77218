"""Merges that happen are held against the decision in force; changes are listed and judged again on request."""

from __future__ import annotations

import asyncio

import pytest

from policies import Outcome
from tests.integration.gateway.house import REPOSITORY, a_house


async def merged(house, key, *, by="mallory"):
    """Merged on the forge, past everybody; and told."""
    house.forge.merge_outside(key, by=by)
    await house.deliver()


async def bypasses(house):
    events = (await house.client.get("/v1/audit")).json()["events"]
    return [event for event in events if event["what"] == "change.bypassed"]


async def eventually_merged(house, key):
    async with asyncio.timeout(240):
        while True:
            found = await house.client.get(f"/v1/changes/work/{REPOSITORY}/{key.number}")
            if found.status_code == 200 and found.json()["state"] == "merged":
                return
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("labels", [["bug"], []], ids=["admitted", "denied"])
def test_a_merge_without_an_admitted_decision_is_a_bypass(tmp_path, labels):
    """The admitted one is no event; the denied one is on record, on the front page, and named with who did it."""

    async def story():
        async with a_house(tmp_path) as house:
            key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, labels=labels, title="Past <b>everybody</b>")
            await house.deliver()
            await house.decided(key, lambda d: True)
            await merged(house, key)
            await eventually_merged(house, key)
            found = await bypasses(house)
            if labels:
                assert found == []
                return
            (event,) = found
            assert event["about"] == f"work:{REPOSITORY}#{key.number}"
            assert event["details"]["outcome"] == "denied"
            assert event["details"]["merged_by"] == "mallory"
            page = (await house.client.get("/")).text
            assert "Merged past the gate" in page
            assert "Past &lt;b&gt;everybody&lt;/b&gt;" in page
            await merged_again(house, key)
            assert await bypasses(house) == found, "told twice is one bypass"

    async def merged_again(house, key):
        house.forge.comment(key, "thanks", by="ben")
        await house.deliver()
        await asyncio.sleep(0.5)

    asyncio.run(story())


def test_a_push_after_the_admission_makes_the_merge_a_bypass(tmp_path):
    """Admitted was another commit."""

    async def story():
        async with a_house(tmp_path) as house:
            key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, labels=["bug"])
            await house.deliver()
            await house.decided(key, lambda d: d.outcome is Outcome.ADMITTED)
            with house.forge.silently():
                house.forge.push(REPOSITORY, "work", {"a": "2"})
            await merged(house, key)
            await eventually_merged(house, key)
            (event,) = await bypasses(house)
            assert event["details"]["decision"] is None

    asyncio.run(story())


def test_a_repository_may_lie_in_groups_of_groups(tmp_path):
    """As on GitLab: what is known of its change is asked for, and it is judged again, by its whole path."""

    async def story():
        async with a_house(tmp_path, reconcile_seconds=3600) as house:
            repository = house.forge.create_repository("acme/group/sub.group/shop").name
            key = house.forge.open_change(repository, head="work", files={"a": "1"}, labels=["bug"])
            await house.deliver()
            await house.decided(key, lambda d: d.outcome is Outcome.ADMITTED)
            with house.forge.silently():
                house.forge.label(key)
            for path in (f"/v1/changes/work/{repository}/1", "/v1/changes/work/acme%2Fgroup%2Fsub.group%2Fshop/1"):
                assert (await house.client.get(path)).json()["repository"] == repository
            assert (await house.client.post(f"/v1/changes/work/{repository}/1/recheck")).status_code == 202
            await house.decided(key, lambda d: d.outcome is Outcome.DENIED)

    asyncio.run(story())


def test_a_change_is_judged_again_on_request(tmp_path):
    """`recheck` is an event like any other; what is not known is 404."""

    async def story():
        async with a_house(tmp_path, reconcile_seconds=3600) as house:
            key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, labels=["bug"])
            await house.deliver()
            await house.decided(key, lambda d: d.outcome is Outcome.ADMITTED)
            with house.forge.silently():
                house.forge.label(key)
            path = f"/v1/changes/work/{REPOSITORY}/{key.number}"
            assert (await house.client.post(f"{path}/recheck")).status_code == 202
            await house.decided(key, lambda d: d.outcome is Outcome.DENIED)
            line = (await house.client.get(path)).json()
            assert (line["outcome"], line["state"]) == ("denied", "open")
            assert line in (await house.client.get("/v1/changes")).json()["changes"]
            assert (await house.client.get("/v1/changes/work/acme/shop/99")).status_code == 404
            assert (await house.client.post("/v1/changes/nowhere/acme/shop/1/recheck")).status_code == 404

    asyncio.run(story())


def test_a_deleted_repository_leaves_nothing_open(tmp_path):
    """A change that is gone counts for nothing, and is not asked for again and again."""

    async def story():
        async with a_house(tmp_path, reconcile_seconds=0.2) as house:
            key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, labels=["bug"])
            await house.deliver()
            await house.decided(key, lambda d: True)
            house.forge.delete_repository(REPOSITORY)
            await house.client.post(f"/v1/changes/work/{REPOSITORY}/{key.number}/recheck")
            async with asyncio.timeout(240):
                while (await house.client.get("/v1/changes")).json()["changes"]:
                    await asyncio.sleep(0.05)

    asyncio.run(story())
