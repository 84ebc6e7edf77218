"""What strangers, forges and policies can say that nobody should: each gets its clear answer, and nothing breaks."""

from __future__ import annotations

import asyncio
import copy
import json

import pytest

from policies import Outcome, Reason
from providers.vcs.memory import MemoryForge
from providers.vcs.signatures import sign
from tests.integration.gateway.house import NOBODY_OBJECTS, REPOSITORY, SECRET, a_bundle_folder, a_house


class HeldForge(MemoryForge):
    """A forge on which one reading of a folder can be held up: after the change's facts, before their judgement."""

    def hold_one(self) -> None:
        self.reached, self.let_go = asyncio.Event(), asyncio.Event()
        self.armed = True

    async def read_folder(self, repository, ref, path):
        if getattr(self, "armed", False):
            self.armed = False
            self.reached.set()
            await self.let_go.wait()
        return await super().read_folder(repository, ref, path)


def a_held_forge():
    forge = HeldForge(connection="work", webhook_secrets=(SECRET,))
    forge.create_repository(REPOSITORY)
    forge.outbox()
    return forge


def run(test):
    """Tests here are coroutines, each on a loop of its own."""
    return asyncio.run(test)


def test_what_is_not_text_is_refused_and_the_refusal_can_be_sent(tmp_path):
    """A lone surrogate is legal JSON; an answer that repeats it is no UTF-8, and must not end as a 500."""

    async def story():
        async with a_house(tmp_path) as house:
            lone = b'"\\ud800"'
            for path, body, expected in (
                ("/v1/admissions", b'{"change":{"url":' + lone + b"}}", 404),
                ("/v1/admissions", b"{" + lone + b":1}", 422),
                ("/v1/bundles/acme/activate", b"{" + lone + b":1}", 422),
                ("/v1/bundles/acme/enforcement", b'{"package":' + lone + b',"enforcement":"deny"}', 404),
            ):
                answer = await house.client.post(path, content=body, headers={"Content-Type": "application/json"})
                assert answer.status_code == expected, (path, answer.text)
                assert answer.headers["content-type"] == "application/problem+json"

    run(story())


def test_a_sign_in_with_too_many_fields_is_no_sign_in(tmp_path):
    """Anybody may post to /login; whatever it holds, the answer is the page again."""

    async def story():
        async with a_house(tmp_path) as house:
            form = "&".join(f"field{number}=1" for number in range(50))
            answer = await house.client.post("/login", content=form.encode())
            assert answer.status_code == 401
            assert "not valid" in answer.text

    run(story())


def test_every_answer_says_how_it_may_be_used(tmp_path):
    """Pages, API, refusals and files alike: no guessed types, no frames; what needed a token is kept by no cache."""

    async def story():
        async with a_house(tmp_path) as house:
            for path in ("/", "/docs", "/metrics", "/readyz", "/static/style.css", "/v1/decisions", "/v1/nothing", "/decisions/nothing"):
                for headers in ({}, {"Authorization": ""}):
                    answer = await house.client.get(path, headers=headers)
                    assert answer.headers["x-content-type-options"] == "nosniff", path
                    assert answer.headers["x-frame-options"] == "DENY", path
                    if path.startswith("/v1"):
                        assert answer.headers["cache-control"] == "no-store", path

    run(story())


def test_no_answer_leads_to_a_host_the_request_made_up(tmp_path):
    """A slash too many is another path, not a redirect to whatever Host was named."""

    async def story():
        async with a_house(tmp_path) as house:
            for path in ("/decisions/nothing/", "/dead-letters/", "/v1/decisions/", "/healthz/"):
                answer = await house.client.get(path, headers={"Host": "elsewhere.example"})
                assert "elsewhere" not in answer.headers.get("location", ""), path
                assert answer.status_code in {404, 421}

    run(story())


@pytest.mark.parametrize(
    "wrong",
    [
        {"number": -1},
        {"number": 0},
        {"connection": "\0"},
        {"connection": "c" * 192},
    ],
    ids=["negative number", "number nought", "unprintable connection", "long connection"],
)
def test_provided_facts_about_no_possible_change_are_refused(tmp_path, wrong):
    """What the record could not keep is the asker's mistake, not ours."""

    async def story():
        async with a_house(tmp_path) as house:
            key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, labels=["bug"])
            await house.deliver()
            decision = await house.decided(key, lambda d: True)
            document = (await house.client.get(f"/v1/decisions/{decision.id}/input")).json()
            document["change"].update(copy.deepcopy(wrong))
            for query in ("", "?dry_run=true"):
                answer = await house.client.post(f"/v1/admissions{query}", content=json.dumps(document).encode())
                assert answer.status_code == 422, answer.text

    run(story())


@pytest.mark.parametrize(
    "said",
    [
        {"repository": {"name": "\ud800/shop"}, "number": 1},
        {"repository": {"name": REPOSITORY}, "number": 1, "updated_at": "0001-01-01T00:00:00+23:00"},
        {"repository": {"name": REPOSITORY}, "number": 1, "updated_at": "9999-12-31T23:59:59-23:00"},
    ],
    ids=["name that is no text", "before all time", "after all time"],
)
def test_a_signed_delivery_that_says_the_impossible_is_malformed(tmp_path, said):
    """400, kept nowhere: a 500 would have the forge send it again for ever."""

    async def story():
        async with a_house(tmp_path) as house:
            body = json.dumps({"kind": "change", "what": "x", **said}).encode()
            headers = {"X-Memory-Delivery": "one", "X-Memory-Signature": sign(SECRET, body)}
            answer = await house.client.post("/webhooks/work", content=body, headers=headers)
            assert (answer.status_code, answer.json().get("refusal")) == (400, "malformed"), answer.text

    run(story())


def test_an_answer_on_older_facts_does_not_overtake_a_newer_one(tmp_path):
    """Somebody asks while the label still is there; it goes and that is judged first. The late answer admits nothing."""

    async def story():
        async with a_house(tmp_path, forge=a_held_forge()) as house:
            key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, labels=["bug"])
            await house.deliver()
            decision = await house.decided(key, lambda d: d.outcome is Outcome.ADMITTED)
            sha, url = decision.change.head_sha, decision.change.url
            await house.turned(sha, "success")
            await house.gateway.core.result(decision.change.workflow_id, timeout=240)
            house.forge.hold_one()
            late = asyncio.create_task(house.client.post("/v1/admissions", json={"change": {"url": url}}))
            await house.forge.reached.wait()
            house.forge.label(key)
            await house.deliver()
            await house.turned(sha, "failure")
            house.forge.let_go.set()
            answer = await late
            assert answer.json()["outcome"] == "denied"
            await asyncio.sleep(0.5)
            assert await house.status(sha) == "failure"
            assert (await house.decisions(key))[0].outcome is Outcome.DENIED

    run(story())


def test_an_answer_on_older_facts_does_not_reopen_a_closed_change(tmp_path):
    """Somebody asks while the change is open; it is closed and that is noticed first. No success comes after it."""

    async def story():
        async with a_house(tmp_path, forge=a_held_forge()) as house:
            key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, labels=["bug"])
            await house.deliver()
            decision = await house.decided(key, lambda d: d.outcome is Outcome.ADMITTED)
            sha, url = decision.change.head_sha, decision.change.url
            await house.turned(sha, "success")
            await house.gateway.core.result(decision.change.workflow_id, timeout=240)
            house.forge.hold_one()
            late = asyncio.create_task(house.client.post("/v1/admissions", json={"change": {"url": url}}))
            await house.forge.reached.wait()
            house.forge.close_change(key)
            await house.deliver()
            await house.turned(sha, "pending")
            house.forge.let_go.set()
            assert (await late).status_code == 404
            await asyncio.sleep(0.5)
            assert await house.status(sha) == "pending"

    run(story())


@pytest.mark.parametrize(
    "rule",
    [
        'hold contains {"msg": "m", "relation": "r", "object": "o:1", "count": 100000000000000000000}',
        'deny contains {"msg": "m", "path": "a", "line": 100000000000000000000}',
        'expires contains "9999-12-31T23:59:59-14:00"',
        'hold contains {"msg": "m", "relation": "r", "object": "o:1", "expires": "9999-12-31T23:59:59-14:00"}',
    ],
    ids=["count", "line", "validity", "end of a hold"],
)
def test_what_a_policy_finds_beyond_all_numbers_and_times_ends_undecided(tmp_path, rule):
    """It cannot be recorded; a judgement that never ended would leave yesterday's success standing."""

    async def story():
        async with a_house(
            tmp_path, bundle=a_bundle_folder(tmp_path, f"{NOBODY_OBJECTS}\n{rule} if count(input.change.labels) > 0\n")
        ) as house:
            key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, labels=["bug"])
            await house.deliver()
            decision = await house.decided(key, lambda d: True)
            assert decision.outcome is Outcome.UNDECIDED
            assert decision.verdict.faults[0].reason is Reason.POLICY_WRONG_SHAPE
            await house.turned(decision.change.head_sha, "error")

    run(story())


def test_a_title_that_is_no_text_takes_an_admission_away(tmp_path):
    """Facts that cannot be recorded are undecided facts; that is recorded and reported all the same."""

    async def story():
        async with a_house(tmp_path) as house:
            key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, labels=["bug"])
            await house.deliver()
            admitted = await house.decided(key, lambda d: d.outcome is Outcome.ADMITTED)
            await house.turned(admitted.change.head_sha, "success")
            house.forge.edit(key, title="half a \ud800 character")
            await house.deliver()
            decision = await house.decided(key, lambda d: d.outcome is Outcome.UNDECIDED)
            assert decision.verdict.faults[0].reason is Reason.FACTS_MISSING
            await house.turned(admitted.change.head_sha, "error")
            for page in ("/", f"/decisions/{decision.id}", f"/v1/decisions/{decision.id}"):
                assert (await house.client.get(page)).status_code == 200

    run(story())
