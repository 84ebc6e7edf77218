"""Recorded decisions computed again, by the command, on the database a gateway left behind."""

from __future__ import annotations

import asyncio
import json
import sqlite3

import pytest

from gateway.config import RelationsFile
from policies import Outcome
from tests.e2e.process import admit
from tests.integration.gateway.house import REPOSITORY, a_bundle_folder, a_house

ASKING = """package merge.label

import data.admit

questions contains admit.question(input.subject.ref, "owner", input.change.repository.ref)

deny contains "no label" if count(input.change.labels) == 0

deny contains "not an owner" if not admit.related(input.subject.ref, "owner", input.change.repository.ref)
"""
STORE = """model: |
  model
    schema 1.1
  type user
  type repository
    relations
      define owner: [user]
tuples: []
"""
LOOPING = """package merge.label

deny contains "found" if {
	count(input.change.labels) == 0
	many := numbers.range(1, 3000)
	some a in many
	some b in many
	some c in many
	a * b * c == -1
}
"""


def left_behind(folder, rego=None, *, labels=((), ("bug",)), weather=None, **settings):
    """A gateway judges one change for each set of labels and stops. Answers the decisions' documents."""
    bundle = a_bundle_folder(folder, rego) if rego else None

    async def story():
        async with a_house(folder, bundle=bundle, **settings) as house:
            for number, names in enumerate(labels):
                key = house.forge.open_change(REPOSITORY, head=f"work{number}", files={f"{number}": "1"}, labels=list(names))
                if weather is not None:
                    weather(house.forge.weather)
                await house.deliver()
                await house.decided(key, lambda d: True)
            return await house.decisions()

    decisions = asyncio.run(story())
    (folder / "admit.yaml").write_text("database: sqlite:///admit.db\n")
    return decisions


def replayed(folder, *arguments):
    """Exit code and the documents."""
    done = admit("replay", *arguments, "--output", "json", cwd=folder)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def changed(folder, statement, *values):
    """Something writes into the database past the gateway."""
    with sqlite3.connect(folder / "admit.db") as database:
        assert database.execute(statement, values).rowcount == 1
    database.close()


def test_every_decision_comes_to_the_same_verdict(tmp_path):
    """Denied and admitted, offline: neither the bundle's folder nor the forge is there any more."""
    left_behind(tmp_path)
    (tmp_path / "acme" / "policy.rego").unlink()
    code, found = replayed(tmp_path, "--all")
    assert code == 0, found
    assert {one["outcome"] for one in found} == {"admitted", "denied"}
    assert {one["result"] for one in found} == {"same"}


def test_relations_are_answered_as_they_were(tmp_path):
    """The store says something else by now, and is not asked."""
    store = tmp_path / "people.yaml"
    store.write_text(STORE)
    left_behind(tmp_path, ASKING, relations=RelationsFile(file=store))
    store.unlink()
    code, found = replayed(tmp_path, "--all")
    assert (code, {one["result"] for one in found}) == (0, {"same"})


def test_ids_and_options_choose_what_is_replayed(tmp_path):
    """One by its id; all of an outcome; none of another repository, which is no success."""
    decisions = left_behind(tmp_path)
    denied = next(decision for decision in decisions if decision.outcome is Outcome.DENIED)
    assert [one["id"] for one in replayed(tmp_path, denied.id)[1]] == [denied.id]
    assert [one["id"] for one in replayed(tmp_path, "--outcome", "denied")[1]] == [denied.id]
    nothing = admit("replay", "--repository", "acme/other", cwd=tmp_path)
    assert nothing.returncode == 2
    assert "nothing has been recomputed" in nothing.stderr
    unknown = admit("replay", "nobody", cwd=tmp_path)
    assert unknown.returncode == 2
    assert "no decision has the id 'nobody'" in unknown.stderr
    assert admit("replay", cwd=tmp_path).returncode == 2


def test_a_changed_verdict_shows_both_sides(tmp_path):
    """Somebody rewrote a reason."""
    denied = next(decision for decision in left_behind(tmp_path) if decision.outcome is Outcome.DENIED)
    with sqlite3.connect(tmp_path / "admit.db") as database:
        (document,) = database.execute("SELECT document FROM decision WHERE id = ?", (denied.id,)).fetchone()
    database.close()
    changed(tmp_path, "UPDATE decision SET document = ? WHERE id = ?", document.replace(b"no label", b"no hurry"), denied.id)
    code, found = replayed(tmp_path, "--all")
    different = next(one for one in found if one["result"] == "different")
    assert code == 1
    assert different == {
        "id": denied.id,
        "outcome": "denied",
        "result": "different",
        "where": "reason",
        "recorded": '"no hurry"',
        "recomputed": '"no label"',
    }
    text = admit("replay", "--all", cwd=tmp_path).stdout
    assert "DIFFERENT" in text
    assert 'recorded:   "no hurry"' in text
    assert "2 decisions recomputed: 1 the same, 1 different, 0 that cannot be" in text


@pytest.mark.parametrize("kind", ["facts", "file"])
def test_a_changed_byte_of_the_evidence_is_found_and_named(tmp_path, kind):
    """In the facts, or in a file of the bundle."""
    (decision,) = left_behind(tmp_path, labels=[("bug",)])
    with sqlite3.connect(tmp_path / "admit.db") as database:
        rows = database.execute("SELECT digest, content FROM blob WHERE kind = ?", (kind,)).fetchall()
    database.close()
    digest, content = next((digest, content) for digest, content in rows if b"label" in content)
    changed(tmp_path, "UPDATE blob SET content = ? WHERE digest = ?", content.replace(b"label", b"lebal", 1), digest)
    code, (found,) = replayed(tmp_path, "--all")
    assert (code, found["result"]) == (1, "different")
    assert digest in found["where"]
    assert kind == "facts" or "bundle 'acme'" in found["where"]
    assert found["id"] == decision.id


def test_a_bundle_that_is_gone_is_named(tmp_path):
    """Without it nothing can be shown, and that is not a success."""
    left_behind(tmp_path, labels=[("bug",)])
    changed(tmp_path, "DELETE FROM bundle")
    code, (found,) = replayed(tmp_path, "--all")
    assert (code, found["result"]) == (1, "different")
    assert "bundle 'acme'" in found["where"]


def test_a_timeout_cannot_be_recomputed(tmp_path):
    """What looped then may or may not loop now: neither is a proof."""
    left_behind(tmp_path, LOOPING, labels=[()], engine={"evaluation_deadline": 0.5})
    (tmp_path / "admit.yaml").write_text("database: sqlite:///admit.db\nengine: {evaluation_deadline: 0.1}\n")
    code, (found,) = replayed(tmp_path, "--all")
    assert (code, found["result"], found["outcome"]) == (2, "not_recomputable", "undecided")


def test_facts_that_could_not_be_read_cannot_be_recomputed(tmp_path):
    """The record says so, with the fault's own words; a difference elsewhere would still win."""
    left_behind(tmp_path, labels=[("bug",)], weather=lambda weather: weather.refusing("read_change"))
    code, (found,) = replayed(tmp_path, "--all")
    assert (code, found["result"]) == (2, "not_recomputable")
    assert "the facts could not be read" in found["why"]


def supposed(folder, rego):
    """What the recorded decisions would be by that bundle: change → outcome then and by it."""
    candidate = a_bundle_folder(folder / "candidate", rego)
    done = admit("bundle", "impact", candidate, "--recorded", "100", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    return sorted((one["was"], one["would_be"]) for one in json.loads(done.stdout))


def test_a_new_bundle_is_tried_on_what_is_recorded(tmp_path):
    """In place of the one of its name; nothing is written, and the record replays as before."""
    left_behind(tmp_path)
    stricter = 'package merge.label\n\ndeny contains "never" if input.version == 1\n'
    assert supposed(tmp_path, stricter) == [("admitted", "denied"), ("denied", "denied")]
    assert supposed(tmp_path, stricter.replace("== 1", "== 2")) == [("admitted", "admitted"), ("denied", "admitted")]
    text = admit("bundle", "impact", tmp_path / "candidate" / "acme", "--recorded", "1", cwd=tmp_path).stdout
    assert "1 decisions judged again" in text
    assert replayed(tmp_path, "--all")[0] == 0


def test_a_new_question_is_put_to_whoever_answers_now(tmp_path):
    """Where it cannot be answered that is undecided and never a no."""
    left_behind(tmp_path)
    (tmp_path / "people.yaml").write_text(STORE)
    (tmp_path / "admit.yaml").write_text("database: sqlite:///admit.db\nrelations: {file: people.yaml}\n")
    assert supposed(tmp_path, ASKING) == [("admitted", "denied"), ("denied", "denied")]
    (tmp_path / "people.yaml").write_text("model: |\n  model\n    schema 1.1\n  type user\ntuples: []\n")
    assert supposed(tmp_path, ASKING) == [("admitted", "undecided"), ("denied", "undecided")]
