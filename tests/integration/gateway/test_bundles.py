"""Bundles published over HTTP: checked, in force together with who did it, rolled back, steered; and whom that concerns."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from policies import Outcome
from policies.bundles.archive import packed
from policies.canonical import is_digest
from policies.errors import BundleRefused
from tests.e2e.process import admit
from tests.integration.gateway.house import REPOSITORY, a_bundle_folder, a_house

GZIP = {"content-type": "application/gzip"}
SIZE = 'package merge.size\n\ndeny contains "too large" if count(input.change.files) > 1\n'
STRICT = 'package merge.size\n\ndeny contains "too large" if count(input.change.files) > 0\n'
TESTED = "package merge.size_test\n\nimport data.merge.size\n\ntest_it if count(size.deny) == %d with input as {}\n"


FAILING_CASE = b"cases:\n  - name: two files\n    input: {change: {files: []}}\n    expect: denied\n"
OPA_THAT_SAYS_NO = """#!/bin/sh
echo '{"errors": [{"message": "undefined ref: input.change.files", "location": {"file": "./size.rego", "row": 3}}]}' >&2
exit 1
"""


def run(test):
    """Tests here are coroutines, each on a loop of its own."""
    return asyncio.run(test)


def an_archive(
    rego=SIZE, *, name="team", revision=None, match="{action: merge, repositories: [acme/shop]}", enforcement="deny", files=None
):
    """A bundle with one policy, merge.size, as a tar.gz."""
    label = f"revision: {revision}\n" if revision else ""
    policy = f"  - package: merge.size\n    match: {match}\n    enforcement: {enforcement}\n"
    manifest = f"name: {name}\n{label}policies:\n{policy}"
    return packed({"bundle.yaml": manifest.encode(), "size.rego": rego.encode(), **(files or {})})


async def put(house, archive, name="team"):
    return await house.client.put(f"/v1/bundles/{name}", content=archive, headers=GZIP)


async def opened(house, *, repository=REPOSITORY, head="work", labels=("bug",)):
    """A change that is judged by now."""
    key = house.forge.open_change(repository, head=head, files={"a": "1"}, labels=list(labels))
    await house.deliver()
    await house.decided(key, lambda d: True)
    return key


async def events(house):
    """But for what the forge's synchronisation tells meanwhile."""
    found = (await house.client.get("/v1/audit")).json()["events"]
    return [(event["who"], event["what"], event["about"]) for event in found if event["about"] != "relations"]


def test_a_published_bundle_judges_beside_those_of_files(tmp_path):
    """It is in force at once, with its policies, footprint and revision; the next change is judged by both."""

    async def story():
        async with a_house(tmp_path) as house:
            answer = await put(house, an_archive(STRICT, revision="r1"))
            assert answer.status_code == 201, answer.text
            found = answer.json()
            assert (found["name"], found["revision"], found["managed_by"]) == ("team", "r1", "api")
            (policy,) = found["policies"]
            assert policy["footprint"]["reads"] == ["change.files"]
            assert policy["match"]["repositories"] == ["acme/shop"]
            assert [revision["in_force"] for revision in found["revisions"]] == [True]
            listed = (await house.client.get("/v1/bundles")).json()
            assert [(bundle["name"], bundle["managed_by"]) for bundle in listed["bundles"]] == [("acme", "file"), ("team", "api")]
            assert listed["generation"]["number"] == 2
            key = await opened(house)
            decision = await house.decided(key, lambda d: d.outcome is Outcome.DENIED)
            assert decision.verdict.violations[0].message == "too large"
            assert [bundle.name for bundle in decision.bundles] == ["acme", "team"]
            assert decision.generation == 2
            assert await events(house) == [
                ("admit.yaml:0", "bundle.published", "team"),
                ("admit.yaml", "bundles.activated", "admit.yaml"),
            ]

    run(story())


@pytest.mark.parametrize(
    ("archive", "says"),
    [
        (an_archive(SIZE.replace("count(", "counts(")), "size.rego:3"),
        (an_archive(SIZE.replace("files", "flies")), "did you mean files?"),
        (an_archive(files={"size_test.rego": (TESTED % 7).encode()}), "test merge.size_test.test_it failed"),
        (an_archive(files={"size.case": FAILING_CASE}), "size.case:2: case 'two files' failed: outcome: expected denied"),
        (an_archive(name="other"), "expected 'team', as it is published, found 'other'"),
        (packed({"size.rego": SIZE.encode()}), "expected a file bundle.yaml, found none"),
        (an_archive(SIZE.replace("merge.size", "admit")), "admit"),
        (b"not a tar.gz", "expected a tar.gz"),
        (b"", "expected a tar.gz"),
    ],
    ids=["does-not-compile", "typo", "failing-test", "failing-case", "other-name", "no-manifest", "reserved", "no-archive", "empty"],
)
def test_a_bad_bundle_changes_nothing(tmp_path, archive, says):
    """422 with what is wrong and where; what is in force, and the audit, stay as they were."""

    async def story():
        async with a_house(tmp_path) as house:
            await put(house, an_archive(revision="r1"))
            before = (await house.client.get("/v1/bundles")).json(), await events(house)
            answer = await put(house, archive)
            assert answer.status_code == 422
            assert answer.headers["content-type"] == "application/problem+json"
            assert says in answer.json()["detail"]
            assert answer.json()["problems"]
            assert ((await house.client.get("/v1/bundles")).json(), await events(house)) == before

    run(story())


def test_a_second_opinion_is_asked_for_whatever_comes_into_force(tmp_path):
    """Where `opa` is present its refusal of a name refuses the bundle: published, brought back, or named in admit.yaml."""
    opa = tmp_path / "opa"

    def says(program):
        opa.write_text(program)
        opa.chmod(0o755)

    async def story():
        says("#!/bin/sh\nexit 0\n")
        async with a_house(tmp_path, engine={"opa": opa}) as house:
            await put(house, an_archive(revision="r1"))
            await put(house, an_archive(STRICT, revision="r2"))
            says(OPA_THAT_SAYS_NO)
            published = await put(house, an_archive(revision="r3"))
            back = await house.client.post("/v1/bundles/team/activate", json={"revision": "r1"})
            for answer in (published, back):
                assert answer.status_code == 422
                assert "size.rego:3: input.change.files: opa check --schema finds no such name in the input" in answer.json()["detail"]
            assert (await house.client.get("/v1/bundles/team")).json()["revision"] == "r2"
        with pytest.raises(BundleRefused, match="opa check --schema finds no such name"):
            async with a_house(tmp_path, engine={"opa": opa}):
                pass

    run(story())


def test_all_problems_are_told_at_once(tmp_path):
    """Two typos are two problems with two lines."""
    rego = SIZE + '\nwarn contains "a draft" if input.change.drafts\n\nwarn contains "long" if count(input.change.titel) > 80\n'

    async def story():
        async with a_house(tmp_path) as house:
            problems = (await put(house, an_archive(rego))).json()["problems"]
            assert [(problem["path"], problem["line"]) for problem in problems] == [("size.rego", 5), ("size.rego", 7)]
            assert [problem["advice"] for problem in problems] == ["did you mean draft?", "did you mean title?"]

    run(story())


def test_a_bundle_whose_test_never_ends_is_refused(tmp_path):
    """The worker is killed, and the gateway goes on."""
    looping = "package merge.size_test\n\ntest_it if {\n\tmany := numbers.range(1, 3000)\n\tsome a in many\n\tsome b in many\n"
    looping += "\tsome c in many\n\ta * b * c == -1\n}\n"

    async def story():
        async with a_house(tmp_path, engine={"evaluation_deadline": 0.5}) as house:
            answer = await put(house, an_archive(files={"size_test.rego": looping.encode()}))
            assert answer.status_code == 422, answer.text
            assert "took longer than 0.5 s" in answer.json()["detail"]
            assert (await put(house, an_archive())).status_code == 201

    run(story())


def test_what_files_bring_cannot_be_changed_from_elsewhere(tmp_path):
    """409 whatever is tried, with what to do instead."""

    async def story():
        async with a_house(tmp_path) as house:
            answers = [
                await put(house, an_archive(name="acme"), "acme"),
                await house.client.delete("/v1/bundles/acme"),
                await house.client.post("/v1/bundles/acme/activate", json={"revision": "x"}),
                await house.client.post("/v1/bundles/acme/enforcement", json={"package": "merge.label", "enforcement": "dryrun"}),
            ]
            assert [answer.status_code for answer in answers] == [409] * 4
            assert all("managed by file" in answer.json()["detail"] for answer in answers)
            assert len(await events(house)) == 1

    run(story())


def test_a_tightened_bundle_judges_open_changes_again_and_only_those_it_concerns(tmp_path):
    """Nothing happens on the forge: what was admitted turns, in the repository the bundle matches."""

    async def story():
        async with a_house(tmp_path) as house:
            house.forge.create_repository("acme/other")
            house.forge.outbox()
            await put(house, an_archive(SIZE))
            concerned, other = await opened(house), await opened(house, repository="acme/other")
            sha = (await house.decisions(concerned))[0].change.head_sha
            await house.turned(sha, "success")
            await put(house, an_archive(STRICT))
            denied = await house.decided(concerned, lambda d: d.outcome is Outcome.DENIED)
            assert denied.generation == 3
            await house.turned(sha, "failure")
            assert {decision.generation for decision in await house.decisions(other)} == {2}
            narrowed = an_archive(STRICT, match="{action: merge, repositories: [acme/nothing]}")
            await put(house, narrowed)
            loosened = await house.decided(concerned, lambda d: d.outcome is Outcome.ADMITTED)
            assert loosened.generation == 4
            await house.turned(sha, "success")

    run(story())


def test_going_back_to_a_revision(tmp_path):
    """By its label or its digest; the changes are judged again; nothing is listed twice."""

    async def story():
        async with a_house(tmp_path) as house:
            await put(house, an_archive(SIZE, revision="r1"))
            await put(house, an_archive(STRICT, revision="r2"))
            key = await opened(house)
            await house.decided(key, lambda d: d.outcome is Outcome.DENIED)
            back = await house.client.post("/v1/bundles/team/activate", json={"revision": "r1"})
            assert back.status_code == 200
            assert back.json()["revision"] == "r1"
            await house.decided(key, lambda d: d.outcome is Outcome.ADMITTED)
            revisions = (await house.client.get("/v1/bundles/team/revisions")).json()["revisions"]
            assert [(revision["revision"], revision["in_force"]) for revision in revisions] == [("r2", False), ("r1", True)]
            assert all(is_digest(revision["digest"]) for revision in revisions)
            forth = await house.client.post("/v1/bundles/team/activate", json={"revision": revisions[0]["digest"]})
            assert forth.json()["revision"] == "r2"
            never = await house.client.post("/v1/bundles/team/activate", json={"revision": "r3"})
            assert never.status_code == 404
            assert (await events(house))[0] == ("admit.yaml:0", "bundle.revision_activated", "team")

    run(story())


def test_a_label_that_was_used_twice_has_to_be_told_apart(tmp_path):
    """Labels are people's; digests are not."""

    async def story():
        async with a_house(tmp_path) as house:
            await put(house, an_archive(SIZE, revision="r1"))
            await put(house, an_archive(STRICT, revision="r1"))
            answer = await house.client.post("/v1/bundles/team/activate", json={"revision": "r1"})
            assert answer.status_code == 409
            assert answer.json()["advice"] == "name one by its digest"

    run(story())


def test_shadow_first_then_deny_without_a_new_revision(tmp_path):
    """The same bundle records what it would do, then does it; replay knows what was enforced when."""

    async def story():
        async with a_house(tmp_path) as house:
            first = (await put(house, an_archive(STRICT, enforcement="dryrun"))).json()
            key = await opened(house)
            shadow = await house.decided(key, lambda d: True)
            assert (shadow.outcome, [s.message for s in shadow.verdict.dryrun]) == (Outcome.ADMITTED, ["too large"])
            answer = await house.client.post("/v1/bundles/team/enforcement", json={"package": "merge.size", "enforcement": "deny"})
            assert answer.status_code == 200
            (policy,) = answer.json()["policies"]
            assert (policy["enforcement"], policy["manifest_enforcement"]) == ("deny", "dryrun")
            assert answer.json()["digest"] == first["digest"]
            denied = await house.decided(key, lambda d: d.outcome is Outcome.DENIED)
            assert denied.bundles == shadow.bundles

            await put(house, an_archive(STRICT + "# other bytes\n", enforcement="dryrun"))
            stays = (await house.client.get("/v1/bundles/team")).json()
            assert stays["policies"][0]["enforcement"] == "deny"
            lifted = await house.client.post("/v1/bundles/team/enforcement", json={"package": "merge.size", "enforcement": None})
            assert lifted.json()["policies"][0]["enforcement"] == "dryrun"
            await house.decided(key, lambda d: d.outcome is Outcome.ADMITTED)

            wrong = [{"package": "merge.other", "enforcement": "deny"}, {"package": "merge.size", "enforcement": "maybe"}]
            answers = [await house.client.post("/v1/bundles/team/enforcement", json=body) for body in wrong]
            assert [answer.status_code for answer in answers] == [404, 422]

    run(story())
    (tmp_path / "admit.yaml").write_text("database: sqlite:///admit.db\n")
    done = admit("replay", "--all", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "0 different" in done.stdout


def test_a_removed_bundle_judges_no_more_and_can_come_back(tmp_path):
    """Its revisions stay."""

    async def story():
        async with a_house(tmp_path) as house:
            await put(house, an_archive(STRICT, revision="r1"))
            key = await opened(house)
            await house.decided(key, lambda d: d.outcome is Outcome.DENIED)
            assert (await house.client.delete("/v1/bundles/team")).status_code == 200
            await house.decided(key, lambda d: d.outcome is Outcome.ADMITTED)
            for path in ("/v1/bundles/team", "/v1/bundles/never", "/v1/bundles/never/revisions"):
                assert (await house.client.get(path)).status_code == 404
            assert (await house.client.delete("/v1/bundles/team")).status_code == 404
            assert len((await house.client.get("/v1/bundles/team/revisions")).json()["revisions"]) == 1
            await house.client.post("/v1/bundles/team/activate", json={"revision": "r1"})
            await house.decided(key, lambda d: d.outcome is Outcome.DENIED)

    run(story())


def test_what_is_downloaded_is_what_was_published(tmp_path):
    """Publishing it again changes nothing, not even the generation."""

    async def story():
        async with a_house(tmp_path) as house:
            archive = an_archive(files={"notes.md": b"for people"})
            first = await put(house, archive)
            got = await house.client.get("/v1/bundles/team", params={"download": True})
            assert got.headers["content-type"] == "application/gzip"
            assert got.content == archive
            again = await put(house, got.content)
            assert again.status_code == 200
            assert again.json()["generation"] == first.json()["generation"]
            assert len(await events(house)) == 2

    run(story())


def test_published_bundles_survive_a_restart_and_files_keep_their_own(tmp_path):
    """What admit.yaml names no more goes; what was published stays; a file takes a name over."""

    async def names(house):
        return {b["name"]: b["managed_by"] for b in (await house.client.get("/v1/bundles")).json()["bundles"]}

    async def story():
        async with a_house(tmp_path) as house:
            await put(house, an_archive(SIZE))
            assert await names(house) == {"acme": "file", "team": "api"}
        async with a_house(tmp_path) as house:
            assert (await house.client.get("/v1/bundles")).json()["generation"]["number"] == 2
        async with a_house(tmp_path, bundles=()) as house:
            assert await names(house) == {"team": "api"}
        team = a_bundle_folder(tmp_path / "files")
        (team / "bundle.yaml").write_text((team / "bundle.yaml").read_text().replace("acme", "team"))
        async with a_house(tmp_path, bundle=team) as house:
            assert await names(house) == {"team": "file"}
            assert (await put(house, an_archive())).status_code == 409

    run(story())


def test_many_who_publish_at_once_all_come_into_force(tmp_path):
    """None overwrites another, and every generation has its event."""

    async def story():
        async with a_house(tmp_path) as house:
            answers = await asyncio.gather(*(put(house, an_archive(name=f"team-{n}"), f"team-{n}") for n in range(6)))
            assert [answer.status_code for answer in answers] == [201] * 6
            found = (await house.client.get("/v1/bundles")).json()
            assert [bundle["name"] for bundle in found["bundles"]] == ["acme", *(f"team-{n}" for n in range(6))]
            assert found["generation"]["number"] == 7
            assert len(await events(house)) == 7

    run(story())


def test_only_administrators_change_what_judges(tmp_path):
    """A token of another scope reads, and no more."""

    async def story():
        async with a_house(tmp_path) as house:
            _, text = await house.gateway.services.tokens.create("reader", ("reader",), by="the tests")
            house.client.headers["Authorization"] = f"Bearer {text}"
            assert (await house.client.get("/v1/bundles")).status_code == 200
            answers = [
                await put(house, an_archive()),
                await house.client.delete("/v1/bundles/acme"),
                await house.client.post("/v1/bundles/acme/activate", json={"revision": "x"}),
                await house.client.post("/v1/bundles/acme/enforcement", json={"package": "merge.label", "enforcement": "warn"}),
                await house.client.get("/v1/audit"),
            ]
            assert [answer.status_code for answer in answers] == [403] * 5
            del house.client.headers["Authorization"]
            assert (await put(house, an_archive())).status_code == 401

    run(story())


def test_only_gzip_is_taken(tmp_path):
    """A forgotten header is told, not guessed."""

    async def story():
        async with a_house(tmp_path) as house:
            answer = await house.client.put("/v1/bundles/team", content=an_archive(), headers={"content-type": "application/json"})
            assert answer.status_code == 415

    run(story())


def test_the_audit_says_when(tmp_path):
    """By the gateway's clock, with the generation that came of it."""

    async def story():
        async with a_house(tmp_path) as house:
            before = datetime.now(UTC)
            await put(house, an_archive(revision="r1"))
            (event,) = (await house.client.get("/v1/audit", params={"about": "team"})).json()["events"]
            assert before <= datetime.fromisoformat(event["at"]) <= datetime.now(UTC)
            assert event["details"]["revision"] == "r1"
            assert event["details"]["generation"] == 2

    run(story())


def test_without_an_engine_nothing_is_published(tmp_path):
    """503 and when to try again: what could not be checked is not in force."""

    async def story():
        async with a_house(tmp_path) as house:
            await put(house, an_archive(revision="r1"))
            await house.gateway.engine.close()
            for answer in (await put(house, an_archive(STRICT)), await put(house, an_archive(name="other"), "other")):
                assert answer.status_code == 503
                assert answer.headers["retry-after"]
            assert len(await events(house)) == 2
            shown = await house.client.get("/v1/bundles/team")
            assert (shown.status_code, shown.json()["policies"][0]["footprint"]) == (200, None)

    run(story())
