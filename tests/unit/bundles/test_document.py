"""Documents handed in: what is taken, what is filled in, and what is said about the rest."""

from __future__ import annotations

import copy
from dataclasses import fields
from datetime import UTC, datetime
from enum import StrEnum
from types import NoneType, UnionType
from typing import get_args, get_origin, get_type_hints

import pytest
from jsonschema import Draft202012Validator

from policies.bundles.example import a_document
from policies.document import request_from_document
from policies.errors import RequestRefused
from policies.model import MAY_BE_ABSENT, Action, rfc3339
from policies.schema import SCHEMA_FILE, input_schema
from policies.schema import models as documents
from policies.schema.generated import generated_schema, generated_text
from providers.vcs import model as vcs

AT = datetime(2026, 5, 4, 10, tzinfo=UTC)


def without(document, *path):
    changed = copy.deepcopy(document)
    place = changed
    for step in path[:-1]:
        place = place[step]
    del place[path[-1]]
    return changed


def test_a_complete_change_becomes_a_merge_request_with_the_same_facts():
    """Nothing is lost or changed between the document and what policies see."""
    document = a_document({"change": {"reviews": [{"user": "bea"}], "checks": ["build"], "comments": [{"user": "bea"}]}})
    request = request_from_document(document)
    assert request.action is Action.MERGE
    assert request.document() == document


def test_a_workflow_becomes_a_submit_request():
    """The other kind of thing goes the same way."""
    document = a_document({"subject": "bea", "workflow": {"name": "deploy", "input": {"version": "1.2"}}})
    request = request_from_document(document)
    assert request.action is Action.SUBMIT
    assert request.document() == document


def test_time_subject_and_action_follow_where_a_change_leaves_them_out():
    """A person may leave out what can only be one thing."""
    document = without(without(without(a_document(), "time"), "subject"), "action")
    request = request_from_document(document, at=AT)
    assert request.document()["time"] == rfc3339(AT)
    assert request.subject == document["change"]["author"]


def test_facts_a_forge_may_not_know_are_filled_in_as_null():
    """A policy finds every promised name, whoever wrote the document."""
    document = a_document({"change": {"files": ["a"]}})
    request = request_from_document(without(document, "change", "files", 0, "additions"))
    assert request.document()["change"]["files"][0]["additions"] is None


REFUSED = {
    "misspelt key": (
        {"change": {"files": [{"path": "a", "aditions": 3}]}},
        "change.files[0].aditions: unknown key; did you mean 'additions'?",
    ),
    "unlike any key": (
        {"change": {"base": {"zzzz": 1}}},
        "change.base.zzzz: unknown key; expected one of ref, sha, protected",
    ),
    "text for a number": (
        {"change": {"files": [{"path": "a", "additions": "three"}]}},
        'change.files[0].additions: expected a whole number or null, found "three"',
    ),
    "null where the forge always knows": ({"change": {"title": None}}, "change.title: expected a string, found null"),
    "a number for a flag": ({"change": {"draft": 1}}, "change.draft: expected true or false, found 1"),
    "a flag for a number": ({"change": {"number": True}}, "change.number: expected a whole number, found true"),
    "a word outside its list": (
        {"change": {"state": "opened"}},
        "change.state: expected one of 'open', 'closed', 'merged', found \"opened\"",
    ),
    "a conclusion no forge has": (
        {"change": {"checks": [{"name": "build", "conclusion": "sucess"}]}},
        "change.checks[0].conclusion: expected one of 'success', 'failure', 'error', 'skipped', 'neutral', 'warning', 'cancelled', "
        "'timed_out', 'action_required', 'stale' or null, found \"sucess\"",
    ),
    "a time without a zone": (
        {"time": "2026-05-04T10:00:00"},
        'time: expected a time with a zone, like 2026-05-04T10:00:00Z, found "2026-05-04T10:00:00"',
    ),
    "a day for a time": (
        {"change": {"created_at": "2026-05-04"}},
        'change.created_at: expected a time with a zone, like 2026-05-04T10:00:00Z, found "2026-05-04"',
    ),
    "a week for a time": (
        {"change": {"created_at": "2026-W19-1T10:00:00Z"}},
        'change.created_at: expected a time with a zone, like 2026-05-04T10:00:00Z, found "2026-W19-1T10:00:00Z"',
    ),
    "a day no month has": (
        {"change": {"created_at": "2026-02-30T10:00:00Z"}},
        'change.created_at: expected a time with a zone, like 2026-05-04T10:00:00Z, found "2026-02-30T10:00:00Z"',
    ),
    "a list for an object": ({"change": {"head": []}}, "change.head: expected an object, found a list"),
    "an object for a list": ({"change": {"labels": {}}}, "change.labels: expected a list, found an object"),
    "an action for the other thing": ({"action": "submit"}, "action: expected 'merge' for a change, found 'submit'"),
    "another version": ({"version": 2}, "version: expected 1, found 2"),
    "its own parameters": (
        {"parameters": {"minimum": 0}},
        "parameters: not taken from a document, found one; remove it, they come from bundle.yaml",
    ),
    "its own answers": (
        {"relations": {}},
        "relations: not taken from a document, found one; remove it, they come from the relations the gateway asks for, or --relations",
    ),
}


@pytest.mark.parametrize(("overrides", "message"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_is_refused_with_its_path(overrides, message):
    """The message has the path, what was expected and what was found."""
    with pytest.raises(RequestRefused) as refused:
        request_from_document(a_document(overrides), at=AT)
    assert str(refused.value).removeprefix("the document does not fit the input's schema, version 1:\n  ") == message


MISSING = {
    "version": (("version",), "version: expected 1, found nothing"),
    "time": (("time",), "time: expected a time with a zone, like 2026-05-04T10:00:00Z, found nothing"),
    "deep": (("change", "author", "ref"), "change.author.ref: expected a string, found nothing"),
    "nullable without default": (("change", "stack"), "change.stack: expected an object or null, found nothing"),
    "the thing": (("change",), "expected either a change or a workflow, found neither"),
}


@pytest.mark.parametrize(("path", "message"), MISSING.values(), ids=MISSING)
def test_what_is_missing_is_named(path, message):
    """A missing fact is never taken for an absent thing."""
    with pytest.raises(RequestRefused) as refused:
        request_from_document(without(a_document(), *path))
    assert message in str(refused.value)


def test_facts_that_nobody_looked_at_may_be_absent():
    """They stay so, as in what a gateway recorded: the request has none of them, neither as a list nor as null."""
    document = a_document()
    for fact in MAY_BE_ABSENT:
        document = without(document, "change", fact)
    request = request_from_document(document)
    assert request.thing.absent == MAY_BE_ABSENT
    assert request.document()["change"] == document["change"]


def test_a_misspelt_thing_gets_a_hint():
    """`chnage` is answered with `change`."""
    document = a_document()
    document["chnage"] = document.pop("change")
    with pytest.raises(RequestRefused, match="found neither; did you mean 'change' where it says 'chnage'"):
        request_from_document(document)


def test_both_a_change_and_a_workflow_are_refused():
    """One question has one thing."""
    with pytest.raises(RequestRefused, match="found change and workflow"):
        request_from_document(a_document() | {"workflow": a_document({"workflow": {}})["workflow"]})


@pytest.mark.parametrize("document", [None, [], "change", 1], ids=repr)
def test_anything_but_an_object_is_refused(document):
    """Not a crash, a refusal."""
    with pytest.raises(RequestRefused, match="expected an object"):
        request_from_document(document)


def test_every_problem_is_told_at_once():
    """Nobody has to fix and try again ten times."""
    with pytest.raises(RequestRefused) as refused:
        request_from_document(a_document({"change": {"title": 1, "body": 2, "draft": 3}}))
    assert str(refused.value).count("\n") == 3


def test_the_committed_schema_is_the_one_the_models_give():
    """`python -m policies.schema` was run after the last change of the models."""
    assert SCHEMA_FILE.read_text() == generated_text()
    assert input_schema() == generated_schema()


def test_the_schema_accepts_what_policies_see_and_refuses_a_misspelt_fact():
    """Editors and CI that check documents against the schema agree with the gateway."""
    schema = Draft202012Validator(input_schema())
    seen = request_from_document(a_document({"change": {"reviews": [{"user": "bea"}], "stack": None}})).document()
    seen |= {"parameters": {"minimum": 2}, "relations": {"repository:work/12": {"owner": {"user:work/bea": True}}}}
    assert schema.is_valid(seen)
    seen["change"]["titel"] = seen["change"].pop("title")
    assert not schema.is_valid(seen)


DOCUMENTED = [
    "Actor", "Repository", "Head", "Base", "Stack", "ChangedFile", "Signature", "Commit", "Review", "Check", "Comment", "Thread", "Change",
]  # fmt: skip


AFTERWARDS = {"merged_sha", "merged_by"}
"""What happened after the question was answered is no fact of it."""


@pytest.mark.parametrize("name", DOCUMENTED)
def test_documents_have_the_names_and_nulls_of_the_forges_model(name):
    """What forges promise and what policies are promised is one thing, field by field."""
    promised = {field: kind for field, kind in get_type_hints(getattr(vcs, name)).items() if field not in AFTERWARDS}
    offered = getattr(documents, name).model_fields
    assert list(offered) == [field.name for field in fields(getattr(vcs, name)) if field.name not in AFTERWARDS]
    for field, kind in promised.items():
        nullable = get_origin(kind) is UnionType and NoneType in get_args(kind)
        assert (type(None) in get_args(offered[field].annotation)) == nullable, field
        words = next((each for each in (kind, *get_args(kind)) if isinstance(each, type) and issubclass(each, StrEnum)), None)
        if words is not None:
            assert list(get_args(offered[field].annotation)) == [word.value for word in words]
