"""Pages about changes: how each stands, what was decided of it, and buttons for those who may press them."""

from __future__ import annotations

import asyncio
import re

from policies import Outcome
from providers.vcs.memory import MemoryForge
from tests.integration.gateway.house import REPOSITORY, SECRET, a_house

TITLE = "Fix <b>the</b> basket"


def run(test):
    """Tests here are coroutines, each on a loop of its own."""
    return asyncio.run(test)


async def signed_in(house, name, *scopes):
    """A browser's headers: the cookie, and no bearer token."""
    _, text = await house.gateway.services.tokens.create(name, scopes, by="test")
    return {"Authorization": "", "Cookie": f"admit_token={text}"}


async def denied(house, *, repository=REPOSITORY, head="work"):
    key = house.forge.open_change(repository, head=head, files={head: "1"}, title=TITLE)
    await house.deliver()
    return key, await house.decided(key, lambda d: d.outcome is Outcome.DENIED)


def fields_of(page, **more):
    return {"proof": re.search(r'name="proof" value="([0-9a-f]{64})"', page.text)[1], **more}


def test_a_change_shows_all_that_was_decided_of_it(tmp_path):
    """Newest first, with links to each decision; a group in a group is a repository like any other."""

    async def story():
        forge = MemoryForge(connection="work", webhook_secrets=(SECRET,))
        nested = "acme/shops/north"
        for repository in (REPOSITORY, nested):
            forge.create_repository(repository)
        forge.outbox()
        async with a_house(tmp_path, forge=forge) as house:
            key, first = await denied(house, repository=nested)
            house.forge.label(key, "bug")
            await house.deliver()
            second = await house.decided(key, lambda d: d.outcome is Outcome.ADMITTED)
            page = await house.client.get(f"/changes/work/{nested}/{key.number}", headers=await signed_in(house, "ana", "reader"))
            assert page.status_code == 200
            assert "&lt;b&gt;the&lt;/b&gt;" in page.text
            places = [page.text.index(f'class="outcome {d.outcome.value}" href="/decisions/{d.id}"') for d in (second, first)]
            assert places == sorted(places)
            assert "<button" not in page.text

    run(story())


def test_the_list_is_narrowed_down(tmp_path):
    """By outcome and by a part of the repository's name; what nobody has is nobody's change."""

    async def story():
        async with a_house(tmp_path) as house:
            await denied(house)
            browser = await signed_in(house, "ana", "reader")
            for query, shown in [
                ({}, True),
                ({"outcome": "denied", "repository": "ACME"}, True),
                ({"outcome": "admitted"}, False),
                ({"repository": "elsewhere"}, False),
                ({"state": "merged"}, False),
                ({"state": "all"}, True),
            ]:
                page = await house.client.get("/changes", params=query, headers=browser)
                assert (f"{REPOSITORY}#1" in page.text) is shown, query
            for path in (f"/changes/work/{REPOSITORY}/99", f"/changes/home/{REPOSITORY}/1", f"/changes/work/{REPOSITORY}/{2**70}"):
                assert (await house.client.get(path, headers=browser)).status_code == 404

    run(story())


def test_buttons_are_for_those_who_may(tmp_path):
    """Without our proof, or without the right, nothing happens; an operator has it judged again, overrides it, and ends that."""

    async def story():
        async with a_house(tmp_path) as house:
            key, decision = await denied(house)
            path = f"/changes/work/{REPOSITORY}/{key.number}"
            reader, operator = await signed_in(house, "ana", "reader"), await signed_in(house, "ben", "reader", "operator")
            page = await house.client.get(path, headers=reader)
            ask = {"reason": "it burns", "hours": "2"}
            assert (await house.client.post(f"{path}/override", data=ask, headers=operator)).status_code == 403
            refused = await house.client.post(f"{path}/override", data=fields_of(page, **ask), headers=reader)
            assert refused.status_code == 409
            assert "may not override this" in refused.text
            assert (await house.client.post(f"{path}/recheck", data=fields_of(page), headers=reader)).status_code == 403
            page = await house.client.get(path, headers=operator)
            for wrong in ("0", "25", "x", "-1"):
                answer = await house.client.post(f"{path}/override", data=fields_of(page, **{**ask, "hours": wrong}), headers=operator)
                assert answer.status_code == 422
            assert (await house.client.post(f"{path}/dance", data=fields_of(page), headers=operator)).status_code == 404
            assert (await house.client.post(f"{path}/recheck", data=fields_of(page), headers=operator)).status_code == 303
            await house.decided(key, lambda d: d.confirmed_at is not None)
            assert (await house.client.post(f"{path}/override", data=fields_of(page, **ask), headers=operator)).status_code == 303
            await house.turned(decision.change.head_sha, "success")
            assert "it burns" in (await house.client.get("/", headers=reader)).text
            assert (await house.client.post(f"{path}/end-override", data=fields_of(page), headers=operator)).status_code == 303
            await house.turned(decision.change.head_sha, "failure")

    run(story())


def test_the_rule_is_read_from_the_bundle_that_judged(tmp_path):
    """Those who may read see the policy's text on the decision's page, others its title and outcome only."""

    async def story():
        async with a_house(tmp_path) as house:
            _, decision = await denied(house)
            path = f"/decisions/{decision.id}"
            rule = "count(input.change.labels) == 0"
            assert rule in (await house.client.get(path, headers=await signed_in(house, "ana", "reader"))).text
            assert rule not in (await house.client.get(path, headers={"Authorization": ""})).text

    run(story())
