"""`admit relations`: as an operator types it, against a running gateway."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from policies.bundles.example import a_document
from tests.e2e.process import GatewayProcess, admit, write_bundle

MODEL = """\
model
  schema 1.1

type user

type team
  relations
    define member: [user, team#member, user with until]

condition until(current_time: timestamp, end: timestamp) {
  current_time < end
}
"""
CORE_BUNDLE = "name: acme\npolicies:\n  - package: merge.core\n    match: {action: merge}\n"
CORE = """\
package merge.core

import data.admit

asked := {"user:work/7", "user:work/9"}

questions contains admit.question(user, "member", "team:core") if some user in asked

deny contains sprintf("%s is not of the core", [user]) if {
	some user in asked
	not admit.related(user, "member", "team:core")
}
"""
STORE = "name: acme\nmodel_file: model.fga\ntuple_file: tuples.yaml\n"
TUPLES = """\
- {user: "user:work/7", relation: member, object: "team:core"}
- {user: "team:core#member", relation: member, object: "team:all"}
- user: user:work/8
  relation: member
  object: team:core
  condition: {name: until, context: {end: "2999-01-01T00:00:00Z"}}
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with GatewayProcess(tmp_path_factory.mktemp("gateway")) as process:
        yield process


@pytest.fixture
def run(gateway):
    def run(*arguments, code=0, token=None):
        done = admit("relations", *arguments, cwd=gateway.folder, environment={"ADMIT_TOKEN": token or gateway.token})
        assert done.returncode == code, done.stderr or done.stdout
        return done.stderr if code == 2 else done.stdout

    return run


@pytest.fixture
def store(tmp_path) -> Path:
    for name, text in {"model.fga": MODEL, "store.fga.yaml": STORE, "tuples.yaml": TUPLES}.items():
        (tmp_path / name).write_text(text)
    return tmp_path / "store.fga.yaml"


def test_store_file_is_imported_asked_and_exported_again(run, store, tmp_path):
    """What comes out goes in again, here and for a dry run; a second time changes nothing."""
    assert "3 tuples written, 0 were there already" in run("import", store)
    assert "0 tuples written, 3 were there already" in run("import", store)
    yes = run("check", "user:work/7", "member", "team:all")
    assert yes.splitlines()[0] == "user:work/7 is member of team:all"
    assert yes.splitlines()[-1].strip() == "user:work/7 is member of team:core"
    assert "is not member" in run("check", "user:work/9", "member", "team:all", code=1)
    late = '{"current_time": "2999-01-02T00:00:00Z"}'
    assert json.loads(run("check", "user:work/8", "member", "team:all", "--context", late, "--json", code=1))["allowed"] is False
    out = tmp_path / "out.yaml"
    assert "3 tuples" in run("export", "-o", out)
    assert out.read_text() == run("export")
    assert "0 tuples written, 3 were there already" in run("import", out)


def test_a_check_in_the_gateways_folder_asks_what_it_keeps(gateway, run, store, tmp_path):
    """As the gateway would judge, and only reading: nobody has to export the relations first."""
    run("import", store)
    write_bundle(tmp_path / "bundle", {"bundle.yaml": CORE_BUNDLE, "core.rego": CORE})
    (tmp_path / "in.json").write_text(json.dumps(a_document({})))
    checked = admit("check", tmp_path / "in.json", "--policies", tmp_path / "bundle", "--output", "json", cwd=gateway.folder)
    (decision,) = json.loads(checked.stdout)
    assert [violation["message"] for violation in decision["violations"]] == ["user:work/9 is not of the core"]
    assert {each["user"]: each["related"] for each in decision["relations"]} == {"user:work/7": True, "user:work/9": False}


def test_tuple_is_written_and_taken_back(run, store):
    """Each told apart from what was so already."""
    run("import", store)
    one = ("user:work/20", "member", "team:core")
    assert run("write", *one).strip() == "written"
    assert run("write", *one).strip() == "nothing to do: it is so already"
    assert run("write", *one, "--delete").strip() == "deleted"
    assert run("write", *one, "--delete").strip() == "nothing to do: it is not there"
    assert "the model does not allow" in run("write", "user:work/20", "owner", "team:core", code=2)


def test_model_is_shown_and_replaced(run, store, tmp_path):
    """From DSL, JSON or modules; a bad one is refused with its place."""
    (tmp_path / "fga.mod").write_text('schema: "1.2"\ncontents:\n  - core.fga\n')
    (tmp_path / "core.fga").write_text("module core\n\ntype user\n\ntype team\n  relations\n    define member: [user]\n")
    assert "is in force" in run("model", tmp_path / "fga.mod")
    assert json.loads(run("model", "--json"))["form"] == "json"
    assert "--output" in run("export", code=2)
    run("export", "-o", tmp_path / "modules.yaml")
    assert "is in force" in run("import", tmp_path / "modules.yaml")
    assert "is in force" in run("model", store.with_name("model.fga"))
    assert run("model").strip() == MODEL.strip()
    (tmp_path / "bad.fga").write_text(MODEL.replace("team#member", "crew#member"))
    assert "line 8, column" in run("model", tmp_path / "bad.fga", code=2)
    assert "cannot be read" in run("model", tmp_path / "none.fga", code=2)


def test_mistakes_are_told_in_words(run):
    """Before anything is sent, or by the gateway."""
    assert "expected a JSON object" in run("check", "user:1", "member", "team:1", "--context", "[]", code=2)
    assert "valid token" in run("check", "user:1", "member", "team:1", token="x" * 40, code=2)
    assert "expected a user as" in run("check", "ana", "member", "team:core", code=2)
