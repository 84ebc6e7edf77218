"""What a policy reads, held against the input's schema; `opa check --schema` is the oracle.

Each row is a module body below `package merge.x` (and its imports), with the lines on which a name leads nowhere. `opa` is
whether OPA's own checker finds them too: it gives up where we follow on, and never finds what we do not.
"""

from __future__ import annotations

import json
import subprocess

import pytest

from policies.errors import BundleRefused
from policies.footprint.values import shape_of
from policies.schema import input_schema
from tests.contract.bundles.bundles import a_bundle
from tests.servers.need import need

PARAMETERS = {"minimum": 2, "exception": {"label": "urgent"}, "paths": [{"glob": "a"}, {"glob": "b", "team": "x"}], "teams": {}}
MANIFEST = "name: acme\npolicies:\n  - {package: merge.x, match: {action: merge}, parameters: " + json.dumps(PARAMETERS) + "}\n"
HEAD = "package merge.x\n\nimport data.admit\nimport input.change as c\nimport data.merge.lib\n\ndeny contains 1 if false\n\n"
FIRST = HEAD.count("\n") + 1
LIB = """package merge.lib

files contains file if some file in input.change.files

by_path[file.path] := file if some file in input.change.files

biggest := file if {
	some file in input.change.files
	file.additions > 1000
}

titled(change) := change.title
"""

RIGHT = {
    "every kind of fact": "r if { input.version; input.action; input.subject.ref; input.time; input.workflow.input.x.y }",
    "a comparison with null": "r if input.change.comments != null",
    "inside what may be null": "r if input.change.stack.base.ref",
    "an index": "r if input.change.files[0].path",
    "an iteration": "r if input.change.files[_].path",
    "a membership": 'r if "urgent" in input.change.labels',
    "a map's keys": 'r if { input.workflow.labels["env.prod"]; input.workflow.labels.tier }',
    "relations": 'r if input.relations["repository:1"].owner[input.subject.ref]',
    "some in": "r if { some f in input.change.files; f.previous_path }",
    "some with index": "r if { some i, f in input.change.files; i > 0; f.path }",
    "every": 'r if every f in input.change.files { f.status == "added" }',
    "assignment": "r if { h := input.change.head; h.fork }",
    "destructuring": "r if { [a, b] := [input.change.head, input.change.base]; a.sha == b.sha }",
    "a comprehension": "r := {f.path | some f in input.change.files}",
    "a rule's value": "head := input.change.head\n\nr if head.repository",
    "a rule's set": "files contains f if some f in input.change.files\n\nr if { some f in files; f.deletions }",
    "another package": "r if { some f in lib.files; f.deletions; lib.biggest.path; lib.by_path[f.path].status }",
    "an alias": "r if c.draft",
    "a function": "r if big(input.change.files[_])\n\nbig(f) if f.additions > 10",
    "a function of two kinds": (
        "r if { named(input.change.files[_]); named(input.change.checks[_]) }\n\nnamed(x) if x.path\n\nnamed(x) if x.name"
    ),
    "an else": "r := input.change.title if false\nelse := input.change.body",
    "object.get": 'r := object.get(input.change, ["head", "sha"], null)',
    "with another input": 'r if input.anything with input as {"anything": 1}',
    "with another part": 'r if input.change.anything with input.change as {"anything": 1}',
    "parameters": "r if { input.parameters.minimum; input.parameters.exception.label; input.parameters.paths[_].team }",
    "an open parameter": "r if input.parameters.teams.anything.at_all",
    "a local that hides a rule": "change := 1\n\nr if { some change in [input.change]; change.title }",
    "use before binding": "r if { f.path; f = input.change.files[_] }",
    "a template": 'r := $"{input.change.title}"',
    "own data": "r if data.teams.core[input.subject.login].y",
    "an object of its own": 'r if { o := {"a": input.change}; o.a.title }',
    "a question": 'questions contains admit.question(input.subject.ref, "owner", input.change.repository.ref)',
}

WRONG = {
    # name: (module body, lines counted from its first, whether OPA finds them all)
    "a fact": ("r if input.change.titel", [1], True),
    "a thing": ("r if input.chnage.title", [1], True),
    "by brackets": ('r if input["change"]["titel"]', [1], True),
    "inside text": ("r if input.change.title.length", [1], True),
    "inside a list": ("r if input.change.files.path", [1], True),
    "an index of an object": ("r if input.change[0]", [1], True),
    "inside what may be null": ("r if input.change.stack.position.x", [1], True),
    "in an item": ("r if input.change.files[0].aditions", [1], True),
    "in any item": ("r if input.change.files[_].aditions", [1], True),
    "in an item by a variable": ("r if {\n\tsome i\n\tinput.change.files[i].aditions\n}", [3], True),
    "some in": ("r if {\n\tsome f in input.change.files\n\tf.aditions > 100\n}", [3], True),
    "some with index": ("r if {\n\tsome i, f in input.change.files\n\tf.aditions > i\n}", [3], True),
    "old iteration": ("r if {\n\tf := input.change.files[_]\n\tf.aditions > 100\n}", [3], True),
    "unification": ("r if {\n\tf = input.change.files[_]\n\tf.aditions > 100\n}", [3], True),
    "use before binding": ("r if {\n\tf.aditions > 100\n\tf = input.change.files[_]\n}", [2], True),
    "assignment": ("r if {\n\th := input.change.head\n\th.shaa\n}", [3], True),
    "two steps": ("r if {\n\tx := input.change\n\ty := x.head\n\ty.shaa\n}", [4], True),
    "every": ("r if every f in input.change.files {\n\tf.aditions\n}", [2], False),
    "not": ("r if not input.change.drafft", [1], True),
    "in a call": ("r if count(input.change.lables) > 1", [1], True),
    "in a nested call": ("r if count(split(input.change.titel, \" \")) > 1", [1], True),
    "in an operator": ("r if input.change.files[_].additions + input.change.files[_].delitions > 1", [1], True),
    "in a head": ("r contains input.change.titel", [1], True),
    "in a value": ("r := input.change.titel", [1], True),
    "in an object": ('r := {"a": [input.change.titel]}', [1], True),
    "in a template": ('r := $"{input.change.titel}"', [1], True),
    "in an else": ("r := 1 if false\nelse := input.change.titel", [2], True),
    "in an else's body": ("r := 1 if false\nelse := 2 if input.change.titel", [2], True),
    "in a with": ("r if x with input.change as input.chnage\n\nx if input.change", [1], True),
    "in a membership": ('r if "x" in input.change.lables', [1], True),
    "an array comprehension": ("r := [f.paht | some f in input.change.files]", [1], True),
    "a set comprehension": ("r := {f.paht | some f in input.change.files}", [1], True),
    "an object comprehension": ("r := {f.path: f.staus | some f in input.change.files}", [1], True),
    "in a comprehension's body": ("r := [f | some f in input.change.files; f.staus]", [1], True),
    "out of a comprehension": ("r if {\n\tfs := [f | some f in input.change.files]\n\tfs[_].staus\n}", [3], True),
    "a rule's value": ("head := input.change.head\n\nr if head.shaa", [3], True),
    "a rule's set": ("fs contains f if some f in input.change.files\n\nr if {\n\tsome f in fs\n\tf.staus\n}", [5], True),
    "a rule's map": ("fs[f.path] := f if some f in input.change.files\n\nr if fs[_].staus", [3], True),
    "another package's set": ("r if {\n\tsome f in lib.files\n\tf.staus\n}", [3], True),
    "another package's value": ("r if lib.biggest.staus", [1], True),
    "by its whole name": ("r if data.merge.lib.biggest.staus", [1], True),
    "an alias": ("r if c.titel", [1], True),
    "a function's argument": ("r if big(input.change.files[_])\n\nbig(f) if f.aditions > 10", [3], False),
    "a function of a function": (
        "r if { some f in input.change.files; a(f) }\n\na(x) if b(x)\n\nb(x) if x.aditions", [5], False,
    ),
    "what a function gives back": ("r if h(input.change).shaa\n\nh(change) := change.head", [1], False),
    "an argument of two kinds": (
        "r if { f(input.change.files[_]); f(input.change.checks[_]) }\n\nf(x) if x.nmae", [3], False,
    ),
    "object.get": ('r := object.get(input.change, "titel", "")', [1], False),
    "object.get by a path": ('r := object.get(input.change, ["head", "shaa"], "")', [1], False),
    "destructuring an object": ('r if {\n\t{"titel": x} = input.change\n\tx\n}', [1], False),
    "out of an object of its own": ('r if {\n\to := {"a": input.change}\n\to.a.titel\n}', [3], True),
    "sorted": ("r if sort(input.change.files)[0].paht", [1], False),
    "a dynamic part": ("r if input.change[input.action].nowhere", [1], True),
    "a parameter": ("r if input.parameters.minumum > 1", [1], True),
    "in a parameter": ("r if input.parameters.exception.lable", [1], True),
    "in a parameter's items": ("r if input.parameters.paths[_].globs", [1], True),
    "in a number": ("r if input.parameters.minimum.x", [1], True),
    "on two lines": ("r if input.change.titel\n\ns if input.change.titel", [1, 3], True),
    "twice, right and wrong by the same name": (
        "r if {\n\tsome f in input.change.files\n\tf.name\n}\n\ns if {\n\tsome f in input.change.checks\n\tf.name\n}", [3], True,
    ),
    "in a rule nobody asks": ("helper if input.change.titel", [1], True),
    "in questions": ('questions contains admit.question(input.subject.reff, "a", "b")', [1], True),
    "relations": ('r if input.relations["r"].owner[input.subject.ref].x', [1], False),
}  # fmt: skip


def files(body):
    return {
        ".manifest": None, "size.rego": None, "size_test.rego": None,
        "bundle.yaml": MANIFEST, "x.rego": HEAD + body + "\n", "lib.rego": LIB, "teams/data.json": '{"core": {}}',
    }  # fmt: skip


def lines_found(check, body):
    """The lines of x.rego on which the bundle is refused."""
    try:
        check(a_bundle(files(body)))
    except BundleRefused as refused:
        return sorted(problem.line - FIRST + 1 if problem.path == "x.rego" else str(problem) for problem in refused.problems)
    return []


def lines_opa_finds(body, tmp_path, what="undefined ref"):
    """The lines `opa check` complains about, against our schema with these parameters."""
    schema = input_schema()
    schema["properties"]["parameters"] = shape_of(PARAMETERS)
    (tmp_path / "input.schema").write_text(json.dumps(schema))
    (tmp_path / "x.rego").write_text(HEAD + body + "\n")
    (tmp_path / "lib.rego").write_text(LIB)
    (tmp_path / "admit.rego").write_text("package admit\n\nquestion(user, relation, object) := [user, relation, object]\n")
    command = [need("opa"), "check", "--max-errors", "100", "--format", "json", "--schema", "input.schema", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    errors = json.loads(done.stderr).get("errors", []) if done.stderr.strip() else []
    unexpected = [each for each in errors if each["code"] != "rego_type_error"]
    assert not unexpected
    return sorted(
        {
            each["location"]["row"] - FIRST + 1
            for each in errors
            if each["message"].startswith(what) and "x.rego" in each["location"]["file"]
        }
    )


@pytest.mark.parametrize("body", RIGHT.values(), ids=RIGHT)
def test_right_names_are_taken(body, check, tmp_path):
    """No policy that reads what is there is refused, nor would OPA refuse it."""
    assert lines_found(check, body) == []
    assert lines_opa_finds(body, tmp_path) == []


@pytest.mark.parametrize(("body", "lines", "opa"), WRONG.values(), ids=WRONG)
def test_wrong_names_are_found(body, lines, opa, check, tmp_path):
    """Wherever the name stands, and however the value got there; OPA finds no more than we do."""
    assert lines_found(check, body) == lines
    found = lines_opa_finds(body, tmp_path)
    assert found == lines if opa else set(found) < {*lines, 0}


MISMATCHES = [
    'r if input.change.number == "7"',
    "r if input.change.title == 7",
    'r if {\n\td := input.change.draft\n\td == "true"\n}',
    'r if {\n\tsome f in input.change.files\n\tf.additions == "1"\n}',
    'r if "1" == input.parameters.minimum',
    "r if input.change.head.sha == true",
]


@pytest.mark.parametrize("body", MISMATCHES)
def test_constants_of_another_kind_are_found_where_opa_finds_them(body, check, tmp_path):
    """What OPA calls a match error; it knows nothing of the words a fact can be."""
    lines = lines_found(check, body)
    assert len(lines) == 1
    assert lines_opa_finds(body, tmp_path, "match error") == lines
