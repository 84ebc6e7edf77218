"""Two gateways on one database: what one does holds for the other's next answer."""

from __future__ import annotations

import asyncio

import httpx

from gateway.config import Connection
from gateway.domain.clock import utc_now
from gateway.operations.access import Tokens
from gateway.running import running_gateway
from providers.vcs.memory import MemoryForge
from tests.builders import a_change_document
from tests.e2e.process import PATIENCE
from tests.integration.gateway.house import SECRET, a_house
from tests.integration.gateway.submitting import ANA, a_yard
from tests.integration.gateway.test_bundles import STRICT, an_archive

DOCUMENT = {"version": 1, "change": a_change_document(labels=["bug"])}


async def judged(house):
    answer = await house.client.post("/v1/admissions", json=DOCUMENT)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_bundle_published_at_one_gateway_judges_the_others_very_next_request(tmp_path):
    """A gateway does not ask for every request what is in force; recording notices that it has moved, and it judges again."""

    async def story():
        async with a_house(tmp_path) as house:
            before = await judged(house)
            elsewhere = MemoryForge(connection="work", webhook_secrets=(SECRET,))
            settings = house.gateway.settings.model_copy(update={"connections": (Connection(name="work", forge="memory"),)})
            async with running_gateway(settings, forges={"work": elsewhere}) as other:
                again = await judged(house)  # seen within the last second, whatever starting the other took
                everywhere = "{action: merge}"
                await other.services.publish_bundle("team", an_archive(STRICT, match=everywhere), by=(await other.services.tokens.all())[0])
                after = await judged(house)
            return before, again, after

    before, again, after = asyncio.run(story())
    assert before["outcome"] == again["outcome"] == "admitted"
    assert after["generation"] == again["generation"] + 1
    assert after["outcome"] == "denied"


def test_a_token_revoked_at_one_gateway_is_soon_refused_by_the_other(tmp_path):
    """Each remembers for a second whom it knew, and no longer."""

    async def story():
        async with a_house(tmp_path) as house:
            tokens = house.gateway.services.tokens
            _, text = await tokens.create("ci", ["reader"], by="test")
            assert await tokens.recognise(text)
            await Tokens(storage=tokens.storage, clock=utc_now).revoke("ci", by="the other")
            async with asyncio.timeout(PATIENCE):
                while await tokens.recognise(text):
                    await asyncio.sleep(0.05)

    asyncio.run(story())


def test_one_key_at_two_gateways_at_the_same_moment_is_one_run(tmp_path):
    """Both judge it, one of them is first, and both answer with that one."""

    async def story():
        async with a_yard(tmp_path) as yard:
            headers = {**await yard.person(ANA), "Idempotency-Key": "release 1.4"}
            elsewhere = MemoryForge(connection="work", webhook_secrets=(SECRET,))
            targets = {"production": yard.target}
            async with (
                running_gateway(yard.house.gateway.settings, forges={"work": elsewhere}, targets=targets) as other,
                httpx.AsyncClient(transport=httpx.ASGITransport(other.app), base_url="http://other") as second,
            ):
                body = {"workflow": "deploy", "input": {"place": "earth"}}
                asking = [client.post("/v1/submissions", json=body, headers=headers) for client in [yard.client, second] * 4]
                answers = await asyncio.gather(*asking)
                assert {answer.status_code for answer in answers} == {202}, [answer.text for answer in answers]
                (id,) = {answer.json()["id"] for answer in answers}
                await yard.becomes(id, "succeeded")
                assert [run.starts for run in yard.target.runs] == [1]

    asyncio.run(story())
