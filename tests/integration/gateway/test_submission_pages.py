"""Pages about submissions, as a browser sees them: what they show, and that their buttons are for people who may."""

from __future__ import annotations

import asyncio
import re

from tests.integration.gateway.submitting import BEN, DAN, a_yard


def run(test):
    """Tests here are coroutines, each on a loop of its own."""
    return asyncio.run(test)


async def signed_in(yard, actor, *scopes):
    """A browser's headers: the cookie, and no bearer token."""
    bearer = (await yard.person(actor, *scopes))["Authorization"].removeprefix("Bearer ")
    return {"Authorization": "", "Cookie": f"admit_token={bearer}"}


def proof_in(page):
    return re.search(r'name="proof" value="([0-9a-f]{64})"', page.text)[1]


def test_a_held_submission_is_approved_on_its_page(tmp_path):
    """What it waits for, a button, and afterwards who said so and how the run went."""

    async def story():
        async with a_yard(tmp_path) as yard:
            id = await yard.held()
            browser = await signed_in(yard, BEN)
            page = await yard.client.get(f"/submissions/{id}", headers=browser)
            assert "production waits for somebody else" in page.text
            fields = {"proof": proof_in(page), "reason": "looks <right>"}
            pressed = await yard.client.post(f"/submissions/{id}/approve", data=fields, headers=browser)
            assert (pressed.status_code, pressed.headers["location"]) == (303, f"/submissions/{id}")
            await yard.becomes(id, "succeeded")
            page = await yard.client.get(f"/submissions/{id}", headers=browser)
            assert "looks &lt;right&gt;" in page.text
            assert "succeeded" in page.text
            assert "Approve" not in page.text
            listed = await yard.client.get("/submissions", params={"state": "succeeded"}, headers=browser)
            assert f"/submissions/{id}" in listed.text

    run(story())


def test_a_button_without_our_proof_does_nothing(tmp_path):
    """Another site's form, and a proof that was made for somebody else's token."""

    async def story():
        async with a_yard(tmp_path) as yard:
            id = await yard.held()
            ben, dan = await signed_in(yard, BEN), await signed_in(yard, DAN)
            foreign = proof_in(await yard.client.get(f"/submissions/{id}", headers=dan))
            for fields in ({}, {"proof": ""}, {"proof": foreign}, {"proof": "0" * 64}):
                answer = await yard.client.post(f"/submissions/{id}/approve", data=fields, headers=ben)
                assert answer.status_code == 403
            assert (await yard.show(id))["approvals"] == []

    run(story())


def test_a_reader_has_no_buttons_and_cannot_press_them(tmp_path):
    """The scope that lets one look lets one do nothing."""

    async def story():
        async with a_yard(tmp_path) as yard:
            id = await yard.held()
            reader = await signed_in(yard, BEN, "reader")
            page = await yard.client.get(f"/submissions/{id}", headers=reader)
            assert page.status_code == 200
            assert "proof" not in page.text
            assert (await yard.client.post(f"/submissions/{id}/approve", data={"proof": "x"}, headers=reader)).status_code == 403
            assert (await yard.show(id))["approvals"] == []

    run(story())


def test_a_word_that_cannot_count_is_answered_on_the_page(tmp_path):
    """It says why, and the submission waits on."""

    async def story():
        async with a_yard(tmp_path) as yard:
            id = await yard.held()
            dan = await signed_in(yard, DAN)
            proof = proof_in(await yard.client.get(f"/submissions/{id}", headers=dan))
            answer = await yard.client.post(f"/submissions/{id}/approve", data={"proof": proof}, headers=dan)
            assert answer.status_code == 409
            assert "is not approver of environment:production" in answer.text
            assert (await yard.show(id))["state"] == "held"

    run(story())


def test_targets_are_shown_with_their_health(tmp_path):
    """One that does not answer is told from one that does."""

    async def story():
        async with a_yard(tmp_path) as yard:
            browser = await signed_in(yard, BEN)
            assert "answers" in (await yard.client.get("/targets", headers=browser)).text
            yard.target.weather.down("probe")
            page = await yard.client.get("/targets", headers=browser)
            assert "does not" in page.text
            assert "told to be down" in page.text

    run(story())


def test_strangers_see_nothing(tmp_path):
    """Each page asks who they are instead."""

    async def story():
        async with a_yard(tmp_path) as yard:
            id = await yard.held()
            for path in ("/submissions", f"/submissions/{id}", "/targets"):
                page = await yard.client.get(path, headers={"Authorization": ""})
                assert "Who are you?" in page.text
                assert "production waits" not in page.text

    run(story())
