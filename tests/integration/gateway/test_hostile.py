"""What strangers, forges and policies can say that nobody should: each gets its clear answer, and nothing breaks."""

from __future__ import annotations

import asyncio
import copy
import json

import pytest

from providers.vcs.signatures import sign
from tests.integration.gateway.house import REPOSITORY, SECRET, a_house


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
