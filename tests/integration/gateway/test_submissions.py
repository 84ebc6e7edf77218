"""Workflows submitted through every tier: judged, held for people, started once, watched to their end."""

from __future__ import annotations

import asyncio

import pytest

from gateway import running_relations
from gateway.wiring import build_relations
from tests.e2e.process import PATIENCE
from tests.integration.gateway.submitting import ANA, ANAS_OTHER, BEN, DAN, EVA, POLICY, Weather, a_yard
from tests.integration.gateway.test_operations import sample


def run(test):
    """Tests here are coroutines, each on a loop of its own."""
    return asyncio.run(test)


@pytest.fixture
def weather(monkeypatch):
    """Every gateway of the test has relations that can be away."""
    monkeypatch.setattr(running_relations, "build_relations", lambda settings: Weather(build_relations(settings)))


def test_what_is_admitted_runs_once_to_its_end(tmp_path):
    """202 with the decision; the run's key is that decision; the target's own words are kept."""

    async def story():
        async with a_yard(tmp_path) as yard:
            answer = await yard.submit(labels={"team": "shop"})
            assert answer.status_code == 202, answer.text
            said = answer.json()
            assert (said["state"], said["decision"]["outcome"]) == ("admitted", "admitted")
            assert answer.headers["location"] == f"/v1/submissions/{said['id']}"
            ended = await yard.ended(said["id"])
            assert (ended["state"], ended["run"]["words"]) == ("succeeded", "succeeded")
            (started,) = yard.target.runs
            assert (started.key, started.workflow, started.input) == (said["decision"]["id"], "deploy", {"place": "earth"})
            assert ended["run_key"] == started.key

    run(story())


def test_what_is_denied_says_why_and_what_to_do(tmp_path):
    """403, kept under its key, and nothing starts."""

    async def story():
        async with a_yard(tmp_path) as yard:
            answer = await yard.submit(place="moon", key="k")
            assert answer.status_code == 403
            said = answer.json()
            assert said["detail"] == "denied: nobody deploys to the moon"
            assert said["violations"][0]["remedy"] == "choose another place"
            again = await yard.submit(place="moon", key="k")
            assert (again.status_code, again.json()["decision"]) == (403, said["decision"])
            assert (await yard.show(said["submission"]))["state"] == "denied"
            assert yard.target.runs == ()

    run(story())


def test_held_then_approved_by_somebody_else_runs(tmp_path):
    """It waits, durably; a second person releases it; the policies are asked again and say who it was."""

    async def story():
        async with a_yard(tmp_path) as yard:
            id = await yard.held()
            assert yard.target.runs == ()
            said = await yard.say("approve", id, by=BEN, reason="looks right")
            assert said.status_code == 200, said.text
            ended = await yard.becomes(id, "succeeded")
            assert ended["decision"]["released"][0]["by"] == [BEN]
            assert [(word["user"], word["word"], word["reason"]) for word in ended["approvals"]] == [(BEN, "approved", "looks right")]
            assert len(yard.target.runs) == 1
            assert yard.target.runs[0].key == ended["decision"]["id"]

    run(story())


def test_a_refusal_ends_it_and_says_who_and_why(tmp_path):
    """By somebody with the relation; nothing starts."""

    async def story():
        async with a_yard(tmp_path) as yard:
            id = await yard.held()
            assert (await yard.say("refuse", id, by=EVA, reason="not on a Friday")).status_code == 200
            ended = await yard.becomes(id, "denied")
            assert "refused (production waits for somebody else): not on a Friday" in ended["decision"]["reason"]
            assert yard.target.runs == ()
            late = await yard.say("approve", id, by=BEN)
            assert (late.status_code, late.json()["detail"]) == (409, f"submission {id} waits for nobody: it is denied")

    run(story())


def test_words_that_cannot_count_are_refused_at_once(tmp_path):
    """The submitter's own, under another account of the same person too, and those of people without the relation."""

    async def story():
        async with a_yard(tmp_path) as yard:
            id = await yard.held()
            refused = {
                ANA: "your own approval does not count",
                ANAS_OTHER: f"{ANAS_OTHER} is another account of {ANA}: your own approval does not count",
                DAN: f"{DAN} is not approver of environment:production",
            }
            for person, why in refused.items():
                answer = await yard.say("approve", id, by=person)
                assert (answer.status_code, answer.json()["detail"]) == (403, why)
            assert (await yard.show(id))["state"] == "held"
            assert (await yard.show(id))["approvals"] == []

    run(story())


def test_an_approval_twice_is_one_approval(tmp_path):
    """Two people are wanted: the same one again does not do, another does."""

    async def story():
        async with a_yard(tmp_path) as yard:
            answer = await yard.submit(labels={"environment": "production"}, input={"place": "earth", "people": 2})
            id = answer.json()["id"]
            for _ in range(2):
                assert (await yard.say("approve", id, by=BEN)).status_code == 200
            looked = await yard.decisions_of(id, 2)
            assert looked["state"] == "held"
            assert len(looked["approvals"]) == 1
            assert (await yard.say("approve", id, by=EVA)).status_code == 200
            ended = await yard.becomes(id, "succeeded")
            assert ended["decision"]["released"][0]["by"] == [BEN, EVA]

    run(story())


@pytest.mark.usefixtures("weather")
def test_an_approval_by_somebody_who_lost_the_relation_meanwhile_does_not_count(tmp_path):
    """Who may is asked again at the moment of the start."""

    async def story():
        async with a_yard(tmp_path) as yard:
            answer = await yard.submit(labels={"environment": "production"}, input={"place": "earth", "people": 2})
            id = answer.json()["id"]
            assert (await yard.say("approve", id, by=BEN)).status_code == 200
            await yard.decisions_of(id, 2)
            yard.forget_approver(BEN)
            assert (await yard.say("approve", id, by=EVA)).status_code == 200
            looked = await yard.decisions_of(id, 3)
            assert looked["state"] == "held"
            assert [r["related"] for r in looked["decision"]["relations"] if r["user"] == BEN and r["relation"] == "approver"] == [False]
            assert yard.target.runs == ()

    run(story())


def test_held_and_nobody_comes_expires(tmp_path):
    """It ends by itself when the policy said it would, and no word after that counts."""
    rego = POLICY.replace('"count":', '"expires": time.format(time.parse_rfc3339_ns(input.time) + 1000000000),\n\t"count":')

    async def story():
        async with a_yard(tmp_path, rego=rego) as yard:
            id = await yard.held()
            ended = await yard.becomes(id, "expired")
            assert ended["held_until"] is not None
            assert (await yard.say("approve", id, by=BEN)).status_code == 409
            assert yard.target.runs == ()

    run(story())


def test_the_same_key_is_the_same_answer_and_another_body_is_refused(tmp_path):
    """One submission, one run; 409 for another question; another person's key of that name is their own."""

    async def story():
        async with a_yard(tmp_path) as yard:
            first, again = await yard.submit(key="k"), await yard.submit(key="k")
            assert again.json()["id"] == first.json()["id"]
            other = await yard.submit(key="k", place="mars")
            assert (other.status_code, other.json()["detail"]) == (
                409,
                f"the Idempotency-Key 'k' stands for another submission, {first.json()['id']}",
            )
            theirs = await yard.submit(key="k", by=BEN)
            assert theirs.json()["id"] != first.json()["id"]
            await yard.becomes(first.json()["id"], "succeeded")
            await yard.becomes(theirs.json()["id"], "succeeded")
            assert len(yard.target.runs) == 2

    run(story())


def test_many_at_the_same_moment_under_one_key_are_one_run(tmp_path):
    """All are answered with the one that was first."""

    async def story():
        async with a_yard(tmp_path) as yard:
            await yard.person(ANA)
            answers = await asyncio.gather(*(yard.submit(key="k") for _ in range(8)))
            assert {answer.status_code for answer in answers} == {202}
            (id,) = {answer.json()["id"] for answer in answers}
            await yard.becomes(id, "succeeded")
            assert len(yard.target.runs) == 1
            assert len((await yard.client.get("/v1/submissions")).json()["submissions"]) == 1

    run(story())


BAD = {
    "an unknown workflow": ({"workflow": "dance"}, 422, "workflow: there is no workflow 'dance'; admit.yaml has: deploy, other"),
    "an unknown target": ({"target": "moon"}, 422, "target: 'deploy' may not run on 'moon'; it may on: production"),
    "an input that does not fit": (
        {"input": {"place": 7, "who": "x"}},
        422,
        "the input does not fit what 'deploy' declares:\n"
        "  input: Additional properties are not allowed ('who' was unexpected)\n"
        "  input.place: 7 is not of type 'string'",
    ),
    "an input that is no object": ({"input": [1]}, 422, "the request does not fit:\n  input: Input should be a valid dictionary"),
    "an unknown key": ({"lables": {}}, 422, "the request does not fit:\n  lables: Extra inputs are not permitted"),
    "a source without a sha": (
        {"source": {"repository": "acme/shop", "ref": "main"}},
        422,
        "the request does not fit:\n  source.sha: Field required",
    ),
    "a connection there is not": (
        {"source": {"connection": "home", "repository": "a/b", "ref": "main", "sha": "a"}},
        422,
        "source.connection: there is no connection 'home'; admit.yaml has: work",
    ),
    "five megabytes": ({"input": {"place": "x" * 5_000_000}}, 413, "the body is larger than 1 MB"),
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One house for questions that change nothing."""
    with asyncio.Runner() as runner:
        yard = a_yard(tmp_path_factory.mktemp("yard"))
        yield runner, runner.run(yard.__aenter__())
        runner.run(yard.__aexit__(None, None, None))


@pytest.mark.parametrize(("fields", "status", "detail"), BAD.values(), ids=BAD)
def test_what_cannot_be_asked_is_refused_with_what_was_expected(shared, fields, status, detail):
    """Nothing is judged, nothing kept."""
    runner, yard = shared
    answer = runner.run(yard.submit(**fields))
    assert (answer.status_code, answer.json()["detail"]) == (status, detail)


@pytest.mark.parametrize("key", ["", "x" * 200, " "], ids=["empty", "too long", "blank"])
def test_a_key_that_cannot_be_kept_is_refused(shared, key):
    """Rather than forgotten."""
    runner, yard = shared
    headers = {**runner.run(yard.person(ANA)), "Idempotency-Key": key}
    answer = runner.run(yard.client.post("/v1/submissions", json={"workflow": "other"}, headers=headers))
    assert answer.status_code == 422, answer.text


@pytest.mark.usefixtures("weather")
def test_what_cannot_be_decided_is_kept_under_no_key(tmp_path):
    """Relationships are away: 503 with Retry-After, on record as a decision; once they are back the same key is admitted."""
    rego = POLICY + 'questions contains admit.question(input.subject.ref, "approver", "environment:production")\n'
    rego = rego.replace("package deploy.rules\n", "package deploy.rules\n\nimport data.admit\n")

    async def story():
        async with a_yard(tmp_path, rego=rego) as yard:
            yard.relations_away()
            answer = await yard.submit(key="k")
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.json()["outcome"] == "undecided"
            assert (await yard.client.get("/v1/submissions")).json()["submissions"] == []
            recorded = await yard.client.get(f"/v1/decisions/{answer.json()['decision']}")
            assert recorded.json()["workflow"] == "deploy"
            yard.relations_back()
            again = await yard.submit(key="k")
            assert again.status_code == 202, again.text
            await yard.becomes(again.json()["id"], "succeeded")

    run(story())


def test_what_no_policy_is_about_is_not_admitted(tmp_path):
    """403, undecided: somebody has to change something, so no Retry-After."""

    async def story():
        async with a_yard(tmp_path) as yard:
            answer = await yard.submit(workflow="other", input={})
            assert answer.status_code == 403
            assert answer.json()["outcome"] == "undecided"
            assert "retry-after" not in answer.headers
            assert yard.target.runs == ()

    run(story())


def test_submissions_are_counted_by_outcome_and_by_how_they_stand(tmp_path):
    """Open ones as they are now, in whatever gateway; what was decided and how it ended as often as this one saw it."""

    async def story():
        async with a_yard(tmp_path) as yard:
            before = (await yard.client.get("/metrics")).text
            await yard.held()
            assert (await yard.submit(place="moon", labels={})).status_code == 403
            done = await yard.submit()
            await yard.becomes(done.json()["id"], "succeeded")
            ended = "admit_submissions_ended_total"
            async with asyncio.timeout(PATIENCE):  # it is counted once it is kept, which may be seen earlier
                while sample(after := (await yard.client.get("/metrics")).text, ended, state="succeeded") <= sample(
                    before, ended, state="succeeded"
                ):
                    await asyncio.sleep(0.02)
            assert sample(after, "admit_open_submissions", state="held") == 1
            for name, labels in (
                ("admit_submission_decisions_total", {"outcome": "held"}),
                ("admit_submission_decisions_total", {"outcome": "denied"}),
                ("admit_submission_decisions_total", {"outcome": "admitted"}),
                (ended, {"state": "denied"}),
            ):
                assert sample(after, name, **labels) > sample(before, name, **labels), (name, labels)

    run(story())
