"""OpenFGA's store file: read as its own tools read it, refused with a place where it is ambiguous or wrong."""

from __future__ import annotations

import json

import pytest

from policies.errors import RelationsRefused
from policies.relations.dsl import parse_model
from policies.relations.json_form import model_to_json
from policies.relations.refusals import StoreFileRefused, TupleRefused
from policies.relations.store_file import read_store_file

MODEL = """model
  schema 1.1
type user
type team
  relations
    define member: [user, team#member, user with until]
condition until(current_time: timestamp, end: timestamp) {
  current_time < end
}
"""


def store(tuples="[]", model=MODEL, **more):
    block = "model: |\n" + "".join(f"  {line}\n" for line in model.splitlines())
    return block + f"tuples: {tuples}\n" + "".join(f"{key}: {value}\n" for key, value in more.items())


ONE = "{user: 'user:1', relation: member, object: 'team:1'}"


def test_a_store_in_one_file_is_read():
    """Name, model, tuples with conditions; tests are kept for whoever runs them."""
    conditional = "{user: 'user:2', relation: member, object: 'team:1', condition: {name: until, context: {end: '2026-01-01T00:00:00Z'}}}"
    found = read_store_file(store(f"[{ONE}, {conditional}]", name="acme", tests="[{name: t}]"))
    assert found.name == "acme"
    assert found.model == parse_model(MODEL)
    assert [str(one) for one in found.tuples] == ["team:1#member@user:1", "team:1#member@user:2"]
    assert found.tuples[1].context == {"end": "2026-01-01T00:00:00Z"}
    assert found.tests == [{"name": "t"}]


def test_a_time_without_quotes_stays_a_text():
    """YAML's own timestamps are not taken for something else."""
    tuples = "[{user: 'user:2', relation: member, object: 'team:1', condition: {name: until, context: {end: 2026-01-01T00:00:00Z}}}]"
    assert read_store_file(store(tuples)).tuples[0].context == {"end": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize("kind", ["fga", "json", "mod"])
def test_model_and_tuples_may_lie_in_files_beside_it(tmp_path, kind):
    """model_file as DSL, JSON or modules, tuple_file and tuple_files as YAML or JSON, relative to the store file."""
    (tmp_path / "model.fga").write_text(MODEL)
    (tmp_path / "model.json").write_text(json.dumps(model_to_json(parse_model(MODEL))))
    (tmp_path / "model.mod").write_text("schema: '1.2'\ncontents: [core.fga, more.fga]\n")
    (tmp_path / "core.fga").write_text("module core\ntype user\ntype team\n")
    (tmp_path / "more.fga").write_text("module more\nextend type team\n" + MODEL.split("type team\n")[1])
    (tmp_path / "some.yaml").write_text(f"- {ONE}\n")
    (tmp_path / "more.json").write_text('[{"user": "user:2", "relation": "member", "object": "team:1"}]')
    file = tmp_path / "store.fga.yaml"
    file.write_text(f"model_file: model.{kind}\ntuple_file: some.yaml\ntuple_files: [more.json]\n")
    found = read_store_file(file)
    assert found.model.types == parse_model(MODEL).types
    assert len(found.tuples) == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "expected a model and tuples"),
        ("[]", "expected a model and tuples"),
        ("tuples: []", "expected model (DSL) or model_file"),
        ("model: 5", "store file:1: expected model (DSL) or model_file"),
        ("model_file: model.fga", "has no folder"),
        (store(model="type user"), "line 1, column 1: expected 'model'"),
        (store(model=MODEL.replace("[user,", "[robot,")), "line 6, column 21: there is no type 'robot'"),
        (store(model=MODEL.replace("current_time <", "now <")), "uses 'now'"),
        (store(name="[]"), "expected a text"),
        (store(modell="x"), "unknown key 'modell'"),
        (store("{}"), "expected a list of tuples"),
        (store("[5]"), "expected a tuple"),
        (store("[{user: 'user:1', relation: member}]"), "expected a text as object"),
        (store("[{user: 5, relation: member, object: 'team:1'}]"), "expected a text as user"),
        (store("[{user: 'user:1', relation: member, object: 'team:1', conditions: {}}]"), "unknown key 'conditions'"),
        (store("[{user: 'user:1', relation: member, object: 'team:1', condition: until}]"), "expected a condition with a name"),
        (store("[{user: 'user:1', relation: member, object: 'team:1', condition: {name: ''}}]"), "the name of a condition"),
        (store("[{user: 'user:1', relation: member, object: 'team:1', condition: {name: until, context: 5}}]"), "context as an object"),
        (store("[{user: 'user:1', relation: member, object: 'team:1', condition: {name: other}}]"), "does not allow"),
        (store("[{user: 'user:1', relation: member, object: 'team:1', condition: {name: until, context: {end: 5}}}]"), "does not fit"),
        (store("[{user: 'user:1', relation: member, object: 'team:1', condition: {name: until, context: {ends: ''}}}]"), "does not fit"),
        (store("[{user: '1', relation: member, object: 'team:1'}]"), "expected a user as type:id"),
        (store("[{user: 'user:1', relation: owner, object: 'team:1'}]"), "has no relation 'owner'"),
        (store("[{user: 'user:*', relation: member, object: 'team:1'}]"), "'team#member' takes"),
        (store("[{user: 'team:1#member', relation: member, object: 'team:1'}]"), "says nothing"),
        (store(f"[{ONE}, {ONE}]"), "given twice"),
        (store(tuple_files="[5]"), "expected a YAML or JSON file"),
        (store(tuple_files="5"), "expected a list of files"),
        ("model: |\n  model\nmodel: |\n  model\n", "twice"),
        ("model: *x", "alias"),
        ("model: !custom x", "tag"),
        ("model: [", "expected YAML"),
        ("a: 1\n\x00", "expected YAML"),
    ],
)
def test_what_is_wrong_is_refused_by_its_place(text, says):
    """Everything wrong with a store file is a refusal that says what and where."""
    with pytest.raises(RelationsRefused) as refusal:
        read_store_file(text)
    assert says in str(refusal.value)


def test_a_wrong_tuple_is_refused_by_its_line():
    """The line counts in the file, not in the list."""
    text = store().replace("tuples: []", "tuples:\n  - " + ONE + "\n  - {user: 'user:1', relation: owner, object: 'team:1'}")
    line = text.splitlines().index("  - {user: 'user:1', relation: owner, object: 'team:1'}") + 1
    with pytest.raises(TupleRefused, match=f"store file:{line}: "):
        read_store_file(text)


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path):
    """The file's name stands in the refusal."""
    with pytest.raises(StoreFileRefused, match=r"none\.yaml: cannot be read"):
        read_store_file(tmp_path / "none.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"model: \xff")
    with pytest.raises(StoreFileRefused, match="UTF-8"):
        read_store_file(tmp_path / "bytes.yaml")
    (tmp_path / "model.fga").write_bytes(b"\xff")
    (tmp_path / "store.yaml").write_text("model_file: model.fga")
    with pytest.raises(StoreFileRefused, match=r"model\.fga: expected UTF-8"):
        read_store_file(tmp_path / "store.yaml")
