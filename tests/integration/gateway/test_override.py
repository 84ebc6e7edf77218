"""Break-glass: a change is let through in spite of its verdict, for a while, by somebody who may, on record."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from gateway.config import RelationsFile
from policies import Outcome
from providers.vcs.memory import MemoryForge
from tests.integration.gateway.house import REPOSITORY, SECRET, a_bundle_folder, a_house


def run(test):
    """Tests here are coroutines, each on a loop of its own."""
    return asyncio.run(test)


def soon(seconds=3600.0):
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def path_of(key):
    return f"/v1/changes/work/{REPOSITORY}/{key.number}/override"


async def a_denied_change(house, head="work"):
    key = house.forge.open_change(REPOSITORY, head=head, files={head: "1"}, title="The fix")
    await house.deliver()
    decision = await house.decided(key, lambda d: d.outcome is Outcome.DENIED)
    await house.turned(decision.change.head_sha, "failure")
    return key, decision


async def overridden(house, key, *, reason="the shop is on fire", until=None, headers=None):
    return await house.client.post(path_of(key), json={"reason": reason, "until": until or soon()}, headers=headers)


async def shown(house, sha):
    return (await house.forge.reported(REPOSITORY, sha, "admit/main")).status


async def overridden_for_seconds(house, key, sha):
    """Its end, having seen the gate open and a decision under it; on a slow machine it takes a longer override."""
    for seconds in (3, 10, 30, 60):
        answer = await overridden(house, key, until=soon(seconds))
        if answer.status_code != 201:
            continue  # its end had come before it was given
        until = datetime.fromisoformat(answer.json()["override"]["until"])
        while datetime.now(UTC) < until:
            if await house.status(sha) == "success" and any(d.override is not None for d in await house.decisions(key)):
                return until
            await asyncio.sleep(0.02)
    raise AssertionError("the gate did not open for 60 seconds, or nothing was decided while it was open")


async def bearer(house, name, *scopes, actor=None):
    _, text = await house.gateway.services.tokens.create(name, scopes, by="test", actor=actor)
    return {"Authorization": f"Bearer {text}"}


def test_an_override_opens_the_gate_and_is_shown_beside_the_verdict_everywhere(tmp_path):
    """Status, API, pages, audit and the next decision; the verdict stays denied, and the earlier decision as it was."""

    async def story():
        async with a_house(tmp_path) as house:
            key, before = await a_denied_change(house)
            ana = await bearer(house, "ana", "operator", actor="person:ana")
            answer = await overridden(house, key, headers=ana)
            assert answer.status_code == 201, answer.text
            assert (answer.json()["outcome"], answer.json()["override"]["by"]) == ("denied", "person:ana")
            await house.turned(before.change.head_sha, "success")
            status = await shown(house, before.change.head_sha)
            assert status.description.startswith("Overridden by person:ana until ")
            assert status.description.endswith("UTC. Denied: no label")
            decision = await house.decided(key, lambda d: d.override is not None)
            assert (decision.outcome, decision.override.reason) == (Outcome.DENIED, "the shop is on fire")
            document = (await house.client.get(f"/v1/decisions/{decision.id}")).json()
            assert (document["outcome"], document["override"]["by"]) == ("denied", "person:ana")
            assert (await house.client.get(f"/v1/decisions/{before.id}")).json()["override"] is None
            page = (await house.client.get(f"/decisions/{decision.id}", headers={"Authorization": ""})).text
            assert "Overridden by person:ana" in page
            assert "the status lets it through" in page
            assert "Overridden now" in (await house.client.get("/")).text
            (event,) = [e for e in (await house.client.get("/v1/audit")).json()["events"] if e["what"] == "change.overridden"]
            assert (event["who"], event["about"]) == ("ana", f"work:{REPOSITORY}#{key.number}")
            assert event["details"]["decision"] == before.id

    run(story())


def test_an_override_ends_by_itself(tmp_path):
    """At its end the status falls back without any event, and a new decision stands without it."""

    async def story():
        async with a_house(tmp_path) as house:
            key, before = await a_denied_change(house)
            await overridden_for_seconds(house, key, before.change.head_sha)
            await house.turned(before.change.head_sha, "failure")
            decision = await house.decided(key, lambda d: d.override is None)
            assert decision.id != before.id
            assert (await house.client.get(f"/v1/changes/work/{REPOSITORY}/{key.number}")).json()["override"] is None
            with_it = next(d for d in await house.decisions(key) if d.override is not None)
            assert "no longer in force" in (await house.client.get(f"/decisions/{with_it.id}")).text

    run(story())


def test_an_override_that_ended_while_the_gateway_was_down_ends_when_it_is_back(tmp_path):
    """The end is a workflow's: it is made up for."""
    forge = MemoryForge(connection="work", webhook_secrets=(SECRET,))
    forge.create_repository(REPOSITORY)
    forge.outbox()

    async def before():
        async with a_house(tmp_path, forge=forge) as house:
            key, decision = await a_denied_change(house)
            return decision, await overridden_for_seconds(house, key, decision.change.head_sha)

    async def after(decision):
        async with a_house(tmp_path, bundle=tmp_path / "acme", forge=forge) as house:
            await house.turned(decision.change.head_sha, "failure")

    forge.close, close = no_close, forge.close
    decision, until = run(before())
    while datetime.now(UTC) < until:
        run(asyncio.sleep(0.1))
    run(after(decision))
    run(close())


async def no_close():
    """The forge outlives the gateway."""


def test_an_override_is_ended_before_its_time(tmp_path):
    """By somebody who may; once."""

    async def story():
        async with a_house(tmp_path) as house:
            key, decision = await a_denied_change(house)
            await overridden(house, key)
            await house.turned(decision.change.head_sha, "success")
            assert (await house.client.delete(path_of(key), headers=await bearer(house, "eve", "reader"))).status_code == 403
            assert (await house.client.delete(path_of(key))).status_code == 200
            await house.turned(decision.change.head_sha, "failure")
            assert (await house.client.delete(path_of(key))).status_code == 404
            what = [event["what"] for event in (await house.client.get("/v1/audit")).json()["events"]]
            assert [each for each in what if each.startswith("change.")] == ["change.override_ended", "change.overridden"]

    run(story())


def test_a_push_ends_an_override(tmp_path):
    """What somebody took upon himself was one commit."""

    async def story():
        async with a_house(tmp_path) as house:
            key, decision = await a_denied_change(house)
            await overridden(house, key)
            await house.turned(decision.change.head_sha, "success")
            house.forge.push(REPOSITORY, "work", {"work": "2"})
            await house.deliver()
            pushed = await house.decided(key, lambda d: d.change.head_sha != decision.change.head_sha)
            assert pushed.override is None
            await house.turned(pushed.change.head_sha, "failure")

    run(story())


def test_another_change_with_the_same_head_holds_the_commit_back(tmp_path):
    """The override is one change's: what shares its commit and was not overridden still counts."""

    async def story():
        async with a_house(tmp_path) as house:
            key, decision = await a_denied_change(house)
            other = house.forge.open_change(REPOSITORY, head="work")
            await house.deliver()
            await house.decided(other, lambda d: True)
            await overridden(house, key)
            await house.decided(key, lambda d: d.override is not None)
            assert await house.status(decision.change.head_sha) == "failure"
            await overridden(house, other)
            await house.turned(decision.change.head_sha, "success")

    run(story())


def test_a_merge_under_an_override_is_no_bypass_but_on_record(tmp_path):
    """As what it was, with who had allowed it; on the front page too."""

    async def story():
        async with a_house(tmp_path) as house:
            key, decision = await a_denied_change(house)
            await overridden(house, key, reason="<b>fire</b>")
            await house.turned(decision.change.head_sha, "success")
            house.forge.merge_outside(key, by="ben")
            await house.deliver()
            async with asyncio.timeout(240):
                while not (found := await merges(house)):
                    await asyncio.sleep(0.02)
            assert [event["what"] for event in found] == ["change.merged_under_override"]
            assert found[0]["details"]["override"]["reason"] == "<b>fire</b>"
            page = (await house.client.get("/")).text
            assert "Merged under an override" in page
            assert "&lt;b&gt;fire&lt;/b&gt;" in page
            assert "Merged past the gate" not in page
            assert (await overridden(house, key)).status_code == 404

    run(story())


async def merges(house):
    return [e for e in (await house.client.get("/v1/audit")).json()["events"] if "merged" in e["what"] or "bypassed" in e["what"]]


@pytest.mark.parametrize(
    ("wanted", "status", "says"),
    [
        ({"reason": " "}, 422, "reason: expected why"),
        ({"reason": "x" * 1001}, 422, "at most 1000 characters"),
        ({"reason": "\ud800"}, 422, "reason"),
        ({"until": "2020-01-01T00:00:00Z"}, 422, "a time to come"),
        ({"until": "2099-01-01T00:00:00Z"}, 422, "within 7 days"),
        ({"until": "2099-01-01T00:00:00"}, 422, "with its zone"),
        ({"until": None}, 422, "does not fit"),
        ({"state": "success"}, 422, "does not fit"),
    ],
    ids=["blank", "long", "no text", "past", "far", "no zone", "never", "more"],
)
def test_an_override_that_cannot_be_is_refused(tmp_path, wanted, status, says):
    """And changes nothing."""

    async def story():
        async with a_house(tmp_path) as house:
            key, _ = await a_denied_change(house)
            body = json.dumps({"reason": "fire", "until": soon(), **wanted})
            answer = await house.client.post(path_of(key), content=body, headers={"Content-Type": "application/json"})
            assert (answer.status_code, says in answer.text) == (status, True), answer.text
            assert (await house.client.get(f"/v1/changes/work/{REPOSITORY}/{key.number}")).json()["override"] is None

    run(story())


def test_only_what_is_known_and_judged_is_overridden(tmp_path):
    """An unknown change, an unknown connection, a head that was not judged yet."""

    async def story():
        async with a_house(tmp_path) as house:
            key, _ = await a_denied_change(house)
            for path in (f"/v1/changes/work/{REPOSITORY}/99/override", f"/v1/changes/home/{REPOSITORY}/{key.number}/override"):
                assert (await house.client.post(path, json={"reason": "fire", "until": soon()})).status_code == 404
            with house.forge.silently():
                house.forge.push(REPOSITORY, "work", {"work": "2"})
            answer = await overridden(house, key)
            assert answer.status_code == 404
            assert "no decision is in force for the present head" in answer.json()["detail"]

    run(story())


MODEL = """model: |
  model
    schema 1.1
  type user
  type repository
    relations
      define override: [user]
tuples:
  - user: user:work/1
    relation: override
    object: REPOSITORY
"""


def test_the_relation_is_a_right_too(tmp_path):
    """A reader who has it may, one who has not may not, and neither may a token that is nobody's."""

    async def story():
        forge = MemoryForge(connection="work", webhook_secrets=(SECRET,))
        forge.create_repository(REPOSITORY)
        forge.outbox()
        repository = f"repository:work/{forge.world.repository(REPOSITORY).id}"
        file = tmp_path / "store.fga.yaml"
        file.write_text(MODEL.replace("REPOSITORY", repository))
        async with a_house(tmp_path, forge=forge, bundle=a_bundle_folder(tmp_path), relations=RelationsFile(file=file)) as house:
            key, _ = await a_denied_change(house)
            nobody = await bearer(house, "nobody", "reader")
            stranger = await bearer(house, "stranger", "reader", actor="user:work/2")
            for headers in (nobody, stranger):
                answer = await overridden(house, key, headers=headers)
                assert answer.status_code == 403
                assert f"it needs the scope operator, or the relation override to {repository}" in answer.json()["detail"]
            related = await bearer(house, "related", "reader", actor="user:work/1")
            assert (await overridden(house, key, headers=related)).status_code == 201
            assert (await overridden(house, key)).status_code == 201

    run(story())


def test_a_relation_that_cannot_be_asked_is_no_right(tmp_path):
    """The model does not know it: refused with why. A reader who is nobody in particular may look, and no more."""

    async def story():
        async with a_house(tmp_path) as house:
            key, _ = await a_denied_change(house)
            answer = await overridden(house, key, headers=await bearer(house, "reader", "reader"))
            assert (answer.status_code, "it needs the scope operator" in answer.json()["detail"]) == (403, True)
            odd = await overridden(house, key, headers=await bearer(house, "odd", "reader", actor="martian:zork"))
            assert (odd.status_code, "cannot be asked" in odd.json()["detail"]) == (403, True)

    run(story())
