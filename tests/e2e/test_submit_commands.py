"""`admit submit`, `admit submissions`, `admit approve`: against a running gateway, as people use them."""

from __future__ import annotations

import json
import re

import pytest

from tests.e2e.process import GatewayProcess, admit, eventually, write_bundle

POLICY = """package deploy.rules

deny contains {"msg": "nobody deploys to the moon", "remedy": "choose another place"} if input.workflow.input.place == "moon"

hold contains {"msg": "production waits", "relation": "approver", "object": "environment:production"} if {
	input.workflow.labels.environment == "production"
}
"""
RELATIONS = """model: |
  model
    schema 1.1
  type user
  type environment
    relations
      define approver: [user]
tuples:
  - {user: "user:work/2", relation: approver, object: "environment:production"}
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    """One for all tests of this module, with tokens for ana, who asks, and ben, who approves."""
    folder = tmp_path_factory.mktemp("gateway")
    manifest = "name: acme\npolicies:\n  - {package: deploy.rules, match: {action: submit}}\n"
    write_bundle(folder / "acme", {"bundle.yaml": manifest, "deploy.rego": POLICY})
    (folder / "relations.yaml").write_text(RELATIONS)
    (folder / "deploy.json").write_text(json.dumps({"type": "object", "required": ["place"]}))
    process = GatewayProcess(
        folder,
        bundles=["acme"],
        relations={"file": "relations.yaml"},
        targets=[{"name": "here", "orchestrator": "memory", "workflows": ["deploy"]}],
        workflows=[{"name": "deploy", "targets": ["here"], "input": "deploy.json"}],
    )
    with process:
        process.people = {
            name: admit("token", "create", name, *scopes, "--actor", actor, cwd=folder).stdout.strip()
            for name, actor, scopes in (
                ("ana", "user:work/1", ["--scope", "submitter", "--scope", "reader"]),
                ("ben", "user:work/2", ["--scope", "submitter", "--scope", "reader"]),
            )
        }
        yield process


def command(gateway, *arguments, by="ana"):
    return admit(*arguments, cwd=gateway.folder, environment={"ADMIT_TOKEN": gateway.people[by]})


def test_submit_follows_a_run_to_its_end(gateway):
    """Each state on a line; exit 0 because it succeeded."""
    done = command(gateway, "submit", "deploy", "place=earth", "version=1.10", "--label", "team=shop", "--wait")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].endswith("succeeded (succeeded there)")


def test_submit_says_what_stands_against_it(gateway):
    """Exit 1, the violation, and what to do."""
    done = command(gateway, "submit", "deploy", "place=moon")
    assert (done.returncode, done.stdout) == (1, "denied:\n  nobody deploys to the moon\n    → choose another place\n")


def test_submit_refuses_what_cannot_be_asked(gateway):
    """Exit 2, and everything that does not fit."""
    done = command(gateway, "submit", "deploy")
    assert done.returncode == 2
    assert "input: 'place' is a required property" in done.stderr
    nothing = command(gateway, "submit", "deploy", "earth")
    assert nothing.returncode == 2
    assert "expected key=value, found 'earth'" in nothing.stderr


def test_what_is_held_is_shown_approved_and_watched(gateway):
    """By the person with the relation; the submitter's own word is refused with exit 1."""
    held = command(gateway, "submit", "deploy", "place=earth", "--label", "environment=production", "--key", "release 1.4")
    assert held.returncode == 0, held.stderr
    id = re.search(r"submission (\S+)", held.stdout)[1]
    assert "waits: production waits (1 × approver of environment:production)" in held.stdout
    again = command(gateway, "submit", "deploy", "place=earth", "--label", "environment=production", "--key", "release 1.4")
    assert id in again.stdout
    assert id in command(gateway, "submissions", "list", "--state", "held").stdout
    own = command(gateway, "submissions", "approve", id)
    assert (own.returncode, own.stderr) == (1, "admit: your own approval does not count\n  → ask somebody else\n")
    assert command(gateway, "submissions", "approve", id, "--reason", "looks right", by="ben").returncode == 0
    watched = command(gateway, "submissions", "watch", id, "--json")
    assert watched.returncode == 0, watched.stderr
    assert json.loads(watched.stdout.splitlines()[-1])["state"] == "succeeded"
    shown = command(gateway, "submissions", "show", id).stdout
    assert shown.startswith("succeeded: deploy on here, asked by ana at ")
    assert "ben approved at" in shown


def test_what_is_held_is_cancelled_or_refused(gateway):
    """Neither starts; watching it says so with exit 1."""
    ends = {"cancel": ("ana", "cancelled"), "refuse": ("ben", "denied")}
    for word, (by, state) in ends.items():
        held = json.loads(command(gateway, "submit", "deploy", "place=earth", "--label", "environment=production", "--json").stdout)
        assert command(gateway, "submissions", word, held["id"], by=by).returncode == 0
        watched = command(gateway, "submissions", "watch", held["id"])
        assert watched.returncode == 1
        assert state in watched.stdout.splitlines()[-1]


def test_a_gateway_that_was_killed_still_carries_what_is_held(gateway):
    """Days would not matter; here it is a kill -9 between the question and the approval."""
    held = json.loads(command(gateway, "submit", "deploy", "place=earth", "--label", "environment=production", "--json").stdout)
    gateway.kill()
    gateway.start()
    assert command(gateway, "submissions", "approve", held["id"], by="ben").returncode == 0
    eventually(lambda: command(gateway, "submissions", "show", held["id"]).stdout.startswith("succeeded"), "the approved run")


def test_nothing_known_is_exit_1_with_what_was_looked_for(gateway):
    """A submission there is not, and a change that waits for nobody."""
    nothing = command(gateway, "submissions", "show", "nothing")
    assert (nothing.returncode, nothing.stderr) == (1, "admit: no submission has the id 'nothing'\n")
    change = command(gateway, "approve", "work", "acme/app", "7")
    assert change.returncode == 2
    assert "nothing is known of change 7 of acme/app on connection 'work'" in change.stderr
