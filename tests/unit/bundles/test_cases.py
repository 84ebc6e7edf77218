"""Cases and the example document they start from: little to write, nothing silently misread."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime

import pytest
import yaml

from policies.bundles import Bundle, Match, Policy
from policies.bundles.cases import read_cases
from policies.bundles.checking import bundle_digest
from policies.bundles.example import a_document
from policies.bundles.scaffold import scaffold
from policies.document import request_from_document
from policies.errors import BundleRefused, RequestRefused
from policies.model import Action, Enforcement, Outcome, PolicyId, Question
from policies.trials import tried


def bundle_with(**files):
    contents = {name.replace("__", "/").replace("_", "."): text.encode() for name, text in files.items()}
    policy = Policy(
        id=PolicyId(bundle="acme", package="merge.size"),
        match=Match(action=Action.MERGE),
        enforcement=Enforcement.DENY,
        parameters={},
        rules=("deny",),
    )
    return Bundle(
        name="acme", revision="1", digest=bundle_digest(contents), policies=(policy,), modules={}, tests={}, data={}, files=contents
    )


def test_a_case_is_a_whole_judgement():
    """What an author leaves out is an ordinary open change; what is written is what is judged."""
    [case] = read_cases(
        bundle_with(
            cases__a_case="""
cases:
  - name: an owner approved
    package: merge.size
    at: 2026-12-24T18:00:00+01:00
    input:
      change: {base: {ref: release/1}, reviews: [{user: bea}]}
    relations: [{user: "user:work/bea", relation: owner, object: "repository:work/12"}]
    expect: denied
    messages: [too large]
    warnings: []
"""
        )
    )
    document = case.request.document()
    assert (case.name, case.path, case.line, case.package) == ("an owner approved", "cases/a.case", 3, "merge.size")
    assert case.request.time == datetime(2026, 12, 24, 17, tzinfo=UTC)
    assert document["change"]["base"] == {"ref": "release/1", "sha": "b" * 40, "protected": True}
    assert document["change"]["reviews"][0]["user"]["ref"] == "user:work/bea"
    assert document["change"]["reviews"][0]["commit_sha"] == document["change"]["head"]["sha"]
    assert case.related == {Question(user="user:work/bea", relation="owner", object="repository:work/12")}
    assert (case.outcome, case.messages, case.warnings, case.store) == (Outcome.DENIED, ("too large",), (), None)


def test_a_case_may_bring_a_store_of_relations():
    """An OpenFGA store file beside it, by name."""
    [case] = read_cases(
        bundle_with(cases__a_case="cases: [{name: x, expect: admitted, store: people.store}]", cases__people_store="model: x\n")
    )
    assert (case.store, case.related) == ("model: x\n", None)


def test_a_case_with_a_number_no_other_machine_reads_alike_has_failed():
    """Its facts could have no digest: it is told, and the others are tried."""
    bundle = bundle_with(a_case=f"cases: [{{name: x, expect: admitted, input: {{change: {{number: {2**60}}}}}}}]")
    [found] = asyncio.run(tried(read_cases(bundle), bundle, engine=None))
    assert not found.passed
    assert "every machine reads alike" in found.error


def test_cases_come_by_file_and_in_their_order():
    """A report reads as the files do."""
    text = "cases: [{name: 1a, expect: held}, {name: 1b, expect: undecided}]"
    assert [case.name for case in read_cases(bundle_with(b_case=text.replace("1", "2"), a_case=text))] == ["1a", "1b", "2a", "2b"]


REFUSED = {
    "a misspelt key": (
        "cases: [{name: x, expekt: denied, expect: denied}]",
        "a.case:1: cases[0].expekt: unknown key; did you mean 'expect'?",
    ),
    "no outcome": ("cases:\n  - name: x\n", "a.case:2: cases[0].expect: expected a value, found nothing"),
    "another outcome": (
        "cases: [{name: x, expect: refused}]",
        "a.case:1: cases[0].expect: expected one of 'admitted', 'denied', 'held' or 'undecided', found 'refused'",
    ),
    "none at all": ("cases: []", "a.case:1: cases: expected at least one entry, found an empty list"),
    "a document that does not fit": (
        "cases:\n  - name: x\n    expect: denied\n    input: {change: {titel: x}}\n",
        "a.case:2: case 'x': the document does not fit the input's schema, version 1:\n  change.titel: unknown key; did you mean 'title'?",
    ),
    "a time that is none": (
        "cases: [{name: x, expect: denied, at: noon}]",
        "a.case:1: case 'x': the document does not fit the input's schema, version 1:\n"
        '  time: expected a time with a zone, like 2026-05-04T10:00:00Z, found "noon"',
    ),
    "a policy of another bundle": (
        "cases: [{name: x, expect: denied, package: merge.other}]",
        "a.case:1: case 'x': package: expected one of merge.size, found merge.other",
    ),
    "a store that is not there": (
        "cases: [{name: x, expect: denied, store: people.store}]",
        "a.case:1: case 'x': store: expected a store file of the bundle, found no people.store; it is named from this file",
    ),
    "relations twice": (
        "cases: [{name: x, expect: denied, relations: [], store: a.case}]",
        "a.case:1: case 'x': expected relations or a store, found both",
    ),
    "an incomplete relation": (
        "cases: [{name: x, expect: denied, relations: [{user: a, object: b}]}]",
        "a.case:1: cases[0].relations[0].relation: expected a value, found nothing",
    ),
    "no yaml": ("cases: [", "a.case:1: expected YAML, found something else: expected the node content, but found '<stream end>'"),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_a_case_is_refused_for(text, message):
    """A case that is not understood would pass for the wrong reason."""
    with pytest.raises(BundleRefused) as refused:
        read_cases(bundle_with(a_case=text))
    assert str(refused.value) == f"bundle 'acme' is refused:\n  {message}"


DOCUMENTS = {
    "nothing": {},
    "a connection": {"change": {"connection": "home", "author": "bea"}},
    "people by login": {"change": {"requested_reviewers": ["bea"], "comments": [{"user": "bea"}]}},
    "people in part": {"change": {"author": {"login": "ci", "kind": "bot"}}},
    "files and checks by name": {
        "change": {"files": ["a", {"path": "b", "status": "added"}], "checks": ["build", {"name": "x", "state": "pending"}]}
    },
    "commits": {
        "change": {
            "commits": [{"message": "a"}, {"author": "bea", "verified": None}, {"author": {"name": "x", "email": "y", "actor": None}}]
        }
    },
    "threads": {"change": {"threads": [{"resolved": None}]}},
    "what a forge cannot say": {"change": {"comments": None, "threads": None, "dependencies": None, "mergeable": None}},
    "a stack": {"change": {"stack": {"id": "1", "position": 2, "size": 2, "base": {"ref": "main", "sha": "c", "protected": None}}}},
    "a workflow": {"workflow": {"labels": {"tier": "1"}, "source": {"repository": "acme/shop", "ref": "main", "sha": "a"}}},
    "a subject": {"subject": "bea", "workflow": {}},
}


@pytest.mark.parametrize("overrides", DOCUMENTS.values(), ids=DOCUMENTS)
def test_an_example_document_is_complete(overrides):
    """Whatever little is given, the rest fits the schema."""
    document = a_document(overrides)
    assert request_from_document(document).document() == document


def test_people_of_another_connection_have_its_references():
    """`ana` on two forges is two actors."""
    document = a_document({"change": {"connection": "home", "reviews": [{"user": "bea"}]}})
    assert document["change"]["reviews"][0]["user"]["ref"] == "user:home/bea"
    assert document["change"]["repository"]["ref"] == "repository:home/12"
    assert document["subject"] == document["change"]["author"]


@pytest.mark.parametrize(
    "overrides", [{"change": 1}, {"change": {"head": 1, "commits": [1], "reviews": [None], "files": [3]}}, {"change": {"author": 7}}]
)
def test_an_example_document_hides_no_mistake(overrides):
    """What does not fit is passed on, and refused there."""
    with pytest.raises(RequestRefused):
        request_from_document(a_document(overrides))


@pytest.mark.parametrize("name", ["", "a/b", "-a", "a b", ".a", "a" * 101])
def test_a_first_bundle_needs_a_name_that_can_stand_in_an_address(name):
    """`/v1/bundles/{name}`."""
    with pytest.raises(ValueError, match="expected a bundle's name"):
        scaffold(name)


def test_a_first_bundle_shows_how_to_test_it_on_every_forge():
    """The snippets are YAML of the shape each forge wants, and run `admit test`."""
    text = scaffold("acme")["ci.md"].decode()
    github, gitlab = (yaml.safe_load(snippet) for snippet in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL))
    assert [step.get("run") for step in github["jobs"]["test"]["steps"]] == [None, "pip install ADMITTANCE", "admit test ."]
    assert gitlab["policies"]["script"] == ["pip install ADMITTANCE", "admit test ."]
