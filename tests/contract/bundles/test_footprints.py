"""Footprints: every fact a policy can look at, and, on real policies, no fact outside makes a difference."""

from __future__ import annotations

import asyncio
import copy
import json
import random
from contextlib import contextmanager
from pathlib import Path

import pytest
from opa_bindings import OpaEngine

from policies.bundles.cases import read_cases
from policies.bundles.checking import checked_bundle
from policies.bundles.directory import read_folder
from policies.bundles.syntax import Program, module_from_tree
from policies.engines.opa_library import OpaLibrary
from policies.engines.reserved import ADMIT_MODULE
from policies.footprint import ITEM, Footprint, Subject, footprint_of, footprints
from policies.footprint.follower import Follower
from policies.footprint.values import Shapes
from tests.contract.bundles.bundles import a_bundle
from tests.contract.engines.samples import IDIOM_DATA, SHARED_MODULE, a_document, idioms

STARTERS = sorted(manifest.parent for manifest in (Path(__file__).parents[3] / "policies" / "starters").glob("*/bundle.yaml"))


@pytest.fixture(scope="module")
def loop():
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def engine(loop):
    engine = OpaLibrary()
    yield engine
    loop.run(engine.close())


@pytest.fixture
def footprint(loop, engine):
    """`footprint(body)`: of a policy `merge.x` with this body."""

    def of(body):
        listing = "name: acme\npolicies:\n  - {package: merge.x, match: {action: merge}, parameters: {minimum: 1}}\n"
        files = {".manifest": None, "size.rego": None, "size_test.rego": None, "bundle.yaml": listing}
        module = "package merge.x\n\nimport data.admit\n\n" + body + "\n"
        bundle = loop.run(checked_bundle(a_bundle({**files, "x.rego": module, "teams/data.json": '{"ana": true}'}), engine))
        return next(iter(loop.run(footprints(bundle, engine)).values()))

    return of


READS = {
    "a fact": ("deny contains 1 if input.change.title", ["change.title"]),
    "nothing": ("deny contains 1 if 1 > 2", []),
    "items": ("deny contains 1 if { some f in input.change.files; f.path == \"x\" }", ["change.files[]", "change.files[].path"]),
    "which there are": ("deny contains 1 if { some _ in input.change.files }", ["change.files[]"]),
    "how many": ("deny contains 1 if count(input.change.files) > 3", ["change.files"]),
    "through a variable": ("deny contains 1 if { h := input.change.head; h.sha == \"x\" }", ["change.head.sha"]),
    "no more than is used": ("deny contains 1 if { x := input; y := x.change; y.draft }", ["change.draft"]),
    "in the message": ("deny contains input.change.title if true", ["change.title"]),
    "in an object of the message": ('deny contains {"msg": input.change.title} if true', ["change.title"]),
    "through a rule": ("deny contains 1 if bad\n\nbad if input.change.draft", ["change.draft"]),
    "through a set": (
        "deny contains 1 if count(bad) > 1\n\nbad contains f.path if some f in input.change.files",
        ["change.files[]", "change.files[].path"],
    ),
    "through a function": ("deny contains 1 if bad(input.change)\n\nbad(x) if x.draft", ["change.draft"]),
    "not what an unasked rule reads": ("deny contains 1 if input.change.draft\n\nother if input.change.title", ["change.draft"]),
    "of every rule that is evaluated": (
        "deny contains 1 if input.change.draft\n\nwarn contains 1 if input.change.title\n\nexpires contains input.time",
        ["change.draft", "change.title", "time"],
    ),
    "in questions": ('deny contains 1 if false\n\nquestions contains admit.question(input.subject.ref, "a", "b")', ["subject.ref"]),
    "relations": ('deny contains 1 if admit.related(input.subject.ref, "a", "b")', ["relations", "subject.ref"]),
    "negated": ("deny contains 1 if not input.change.draft", ["change.draft"]),
    "in a comprehension": (
        "deny contains 1 if count([f | some f in input.change.files; f.additions > 1]) > 1",
        ["change.files[]", "change.files[].additions"],
    ),
    "in every": ("deny contains 1 if every f in input.change.files { f.additions > 1 }", ["change.files[]", "change.files[].additions"]),
    "an index from the input": (
        'deny contains 1 if input.relations[input.change.repository.ref].owner["x"]',
        ["change.repository.ref", "relations[].owner.x"],
    ),
    "an index into data": ("deny contains 1 if data.teams[input.subject.login]", ["subject.login"]),
    "by a default": ('deny contains 1 if object.get(input.change, "title", "") == ""', ["change.title"]),
    "what a with puts in place": (
        "deny contains 1 if x with input as {\"change\": {\"title\": input.change.body}}\n\nx if input.change.title",
        ["change.body"],
    ),
    "beside what a with replaces": (
        "deny contains 1 if x with input.change.title as 1\n\nx if { input.change.title; input.change.draft }",
        ["change.draft"],
    ),
    "a part that is only known later": (
        "deny contains 1 if input.change[input.action].sha",
        ["action", "change.base.sha", "change.head.sha"],
    ),
    "parameters": ("deny contains 1 if input.parameters.minimum > 1", ["parameters.minimum"]),
    "through variables bound in the opposite order": (
        "deny contains 1 if {\n\tx14.draft\n" + "".join(f"\tx{n} = x{n - 1}\n" for n in range(14, 0, -1)) + "\tx0 = input.change\n}",
        ["change"],
    ),
    "in a template": ('deny contains $"{input.change.title}" if true', ["change.title"]),
    "in an else": ("deny contains x\n\nx := 1 if input.change.draft\nelse := input.change.title", ["change.draft", "change.title"]),
}  # fmt: skip


@pytest.mark.parametrize(("body", "paths"), READS.values(), ids=READS)
def test_a_policy_reads(body, paths, footprint):
    """What the verdict can depend on, and no more than that."""
    found = footprint(body)
    written = [path for path in found.written if not is_covered(path, found.written)]
    assert written == paths
    assert not found.dynamic


def is_covered(path, others):
    """True if another path means this one too: `change.files` is all of `change.files[].path`."""
    return any(path != other and path.startswith(other) and not other.endswith(ITEM) for other in others)


DYNAMIC = {
    "the whole input": "deny contains 1 if count(input) > 5",
    "walk": "deny contains 1 if { walk(input, [_, value]); value == 1 }",
    "any part": "deny contains 1 if { some x in input; x == 1 }",
    "the input handed on": 'deny contains 1 if contains(json.marshal(input), "x")',
    "another function in its place": "deny contains 1 if f(1) == 2 with data.merge.x.f as g\n\nf(x) := x\n\ng(x) := x",
    "another function for a builtin": "deny contains 1 if count([1]) == 2 with count as g\n\ng(_) := input.change.number",
}


@pytest.mark.parametrize("body", DYNAMIC.values(), ids=DYNAMIC)
def test_a_policy_may_look_at_anything_with(body, footprint):
    """Where it cannot be said, everything counts as read."""
    found = footprint(body)
    assert found.dynamic or () in found.paths or {path[0] for path in found.paths} >= {"change", "subject", "workflow"}
    assert found.reads(["change", "title"])
    assert found.reads(["change", "files", "3", "path"])


UNFOLLOWED = {
    "walk": ("deny contains 1 if { walk(input.change, [_, v]); v == 1 }", ["x.rego:5: walk: walk visits whatever is there"]),
    "what a function made": (
        "deny contains 1 if {\n\tx := object.union(input.change, {})\n\tx.titel\n}",
        ["x.rego:7: x.titel: comes from a function that is not followed"],
    ),
    "a key that is only known later": (
        "deny contains 1 if object.get(input.change, input.action, 1) == 1",
        ["x.rego:5: object.get: the key is only known at evaluation"],
    ),
}


@pytest.mark.parametrize(("body", "listed"), UNFOLLOWED.values(), ids=UNFOLLOWED)
def test_what_cannot_be_followed_is_listed(body, listed, footprint):
    """An author sees where a misspelt name would go unnoticed; the footprint is complete all the same."""
    found = footprint(body)
    assert [str(each) for each in found.unfollowed] == listed
    assert found.reads(["change", "title"])


def test_a_program_with_too_many_ways_reads_everything(monkeypatch):
    """Nobody waits for a footprint: what takes too long counts as reading anything."""
    monkeypatch.setattr("policies.footprint.follower._MAX_STEPS", 3)
    source = "package merge.x\n\ndeny contains 1 if { 1 == 1; 2 == 2; input.change.draft }\n"
    with OpaEngine() as opa:
        program = Program([parsed(opa, "x.rego", source)])
    found = footprint_of(Subject(package=("merge", "x"), rules=("deny",), parameters={}), program)
    assert found.dynamic
    assert found.reads(["change", "title"])


def test_a_value_that_could_be_too_many_things_counts_as_read(footprint, monkeypatch):
    """Giving up following a value does not lose it."""
    monkeypatch.setattr("policies.footprint.follower._MAX_ALTERNATIVES", 1)
    found = footprint("deny contains 1 if { x := [input.change.head, input.change.base][_]; y := x; y.sha == 1 }")
    assert found.reads(["change", "head", "sha"])
    assert found.reads(["change", "base", "sha"])
    assert not found.reads(["change", "title"])


def leaves(value, path=()):
    """Every place in a document, also the inner ones."""
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    if isinstance(value, list):
        for number, inner in enumerate(value):
            yield from leaves(inner, (*path, number))


def changed(document, path, value):
    changed = copy.deepcopy(document)
    place = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return changed


@pytest.fixture(scope="module", params=STARTERS, ids=[folder.name for folder in STARTERS])
def starter(request, loop, engine):
    bundle = loop.run(checked_bundle(read_folder(request.param), engine, run_tests=False))
    return bundle, loop.run(footprints(bundle, engine))


def test_facts_outside_a_starters_footprint_make_no_difference(starter):
    """Skipping a judgement because nothing in the footprint changed is never wrong: 100 changes outside, the same values."""
    bundle, found = starter
    dice, cases = random.Random(bundle.name), read_cases(bundle)
    with opa_with(bundle.modules, bundle.data) as opa:
        for policy in bundle.policies:
            query = everything(policy.id.package, policy.rules)
            for _ in range(100):
                case = dice.choice(cases)
                document = case.request.document() | {"parameters": dict(policy.parameters), "relations": answers(case)}
                other = elsewhere(document, found[policy.id], dice)
                assert values(opa, query, document) == values(opa, query, other), case.name


IDIOMS = {name: f"package idioms.{name}\n\n{body}" for name, body in idioms().items()}
ANYTHING = Shapes({"type": "object"}, {})


@pytest.fixture(scope="module")
def all_idioms():
    """An engine that holds every idiom, for they import one another, and the program they are together."""
    modules = {**{f"{name}.rego": body for name, body in IDIOMS.items()}, "shared.rego": SHARED_MODULE}
    with opa_with(modules, IDIOM_DATA) as opa:
        yield opa, Program([parsed(opa, path, source) for path, source in modules.items()])


@pytest.mark.parametrize("name", IDIOMS)
def test_facts_outside_an_idioms_footprint_make_no_difference(name, all_idioms):
    """All that authors really write: iteration, comprehensions, functions, `with`, `every`, walk …"""
    opa, program = all_idioms
    dice, document = random.Random(name), json.loads(json.dumps(a_document()))
    module = next(module for module in program.modules if module.path == f"{name}.rego")
    rules = sorted({rule.name for rule in module.rules if not rule.arguments})
    follower = Follower(program, ANYTHING)
    for rule in rules:
        follower.output((*module.package, rule))
    found = Footprint(paths=tuple(sorted(follower.notes.reads)), dynamic=follower.notes.dynamic, unfollowed=())
    query = everything(module.package_name, rules)
    before = values(opa, query, document)
    for _ in range(10):
        assert values(opa, query, elsewhere(document, found, dice)) == before


@contextmanager
def opa_with(modules, data):
    with OpaEngine() as opa:
        for path, source in {**modules, "admit.rego": ADMIT_MODULE}.items():
            opa.add_policy(path, source)
        opa.add_data(dict(data))
        yield opa


def parsed(opa, path, source):
    tree = opa.eval_query("tree := rego.parse_module(input.path, input.source)", {"path": path, "source": source})
    return module_from_tree(path, source, tree[0]["tree"])


def everything(package, rules):
    """A query for all rules' values at a pinned time; an undefined one is an empty list."""
    return "; ".join(f"v{n} := [x | x := data.{package}.{rule}] with time.now_ns as 5" for n, rule in enumerate(rules))


def elsewhere(document, footprint, dice):
    """The document with something else at one place outside the footprint; itself where there is none."""
    outside = [path for path in leaves(document) if path and not footprint.reads(map(step_of, path))]
    if not outside:
        return document
    return changed(document, dice.choice(outside), dice.choice([None, 7, "other", True, [], {}, [{"x": 1}]]))


def step_of(step):
    return ITEM if isinstance(step, int) else step


def answers(case):
    table = {}
    for question in case.related or ():
        table.setdefault(question.object, {}).setdefault(question.relation, {})[question.user] = True
    return table


def values(opa, query, document):
    try:
        return json.dumps(opa.eval_query(query, document), sort_keys=True)
    except Exception as problem:  # an undecided policy has to stay undecided in the same words
        return str(problem)
