"""The walk over the committed schema takes and refuses what the models do, place by place."""

from __future__ import annotations

import copy
import random

import pytest
from pydantic import ValidationError

from policies.bundles.cases import a_document
from policies.schema import fit_into, top_shape
from policies.schema.models import InputDocument
from tests.unit.starters.mutations import mutations

SEED = 20261124
PUT = (None, "", "x", 0, 1, 1.0, True, [], {}, [1], {"a": 1}, ["a"], "2026-05-04T10:00:00Z", "2026-02-30T10:00:00Z")
ACTOR = {"id": "7", "login": "ana", "kind": "user", "ref": "user:work/7"}


def documents():
    """A change with one of everything, and a workflow."""
    said = {"user": "user:work/7", "name": "Ana", "word": "approved", "at": "2026-05-04T10:00:00Z", "until": "2026-05-05T10:00:00Z"}
    everything = {"reviews": [{"user": "bea"}], "checks": [{"name": "build"}], "threads": [{"path": "a", "resolved": True}]}
    workflow = {
        "name": "deploy",
        "target": "prod",
        "input": {"a": [1, {"b": None}]},
        "labels": {"team": "pay"},
        "source": {"repository": "acme/shop", "ref": "main", "sha": "a" * 40},
    }
    asked = {"version": 1, "action": "submit", "subject": ACTOR, "time": "2026-05-04T10:00:00.5+02:00", "workflow": workflow}
    for document in (a_document({"change": everything}), {**asked, "approvals": {"given": [said], "same_person": None}}):
        document.setdefault("subject", ACTOR)
        yield {**document, "parameters": {"minimum": 1}, "relations": {"repository:work/12": {"owner": {"user:work/7": True}}}}


def by_models(document):
    """The document filled in, or the places of what is wrong."""
    try:
        return InputDocument.model_validate(document).model_dump()
    except ValidationError as problem:
        return sorted({_place(error["loc"]) for error in problem.errors()})


def by_schema(document):
    misfits = []
    whole = fit_into(top_shape())(document, (), misfits)
    return sorted({_place(misfit.place) for misfit in misfits}) if misfits else whole


def _place(steps):
    return tuple(str(step) for step in steps)


@pytest.mark.parametrize("document", list(documents()), ids=["change", "workflow"])
def test_a_right_document_is_filled_in_alike(document):
    """What may be missing is there afterwards, as the models put it there."""
    found = by_schema(document)
    assert isinstance(found, dict)
    assert found == by_models(document)


@pytest.mark.parametrize("document", list(documents()), ids=["change", "workflow"])
def test_every_single_mistake_is_found_where_the_models_find_it(document):
    """Each place dropped, renamed and put to values of other types; nulls at the top are left to who reads the document."""
    source = random.Random(SEED)
    for mutation in mutations(document):
        for mutated, what in ((mutation.applied(document), mutation), _put(document, mutation.path, source.choice(PUT))):
            if not any(mutated.get(key, "absent") is None for key in ("change", "workflow", "approvals")):
                assert by_schema(mutated) == by_models(mutated), str(what)


def _put(document, path, value):
    mutated = copy.deepcopy(document)
    holder = mutated
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    return mutated, f"{path} = {value!r}"
