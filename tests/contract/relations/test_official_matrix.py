"""OpenFGA's own test matrix: every assertion its server is held to, with stored and with contextual tuples.

It lies in the Go module cache beside the server's source, once the server has been built (make servers).
As the Go runner does, a test of one stage is run twice: tuples stored, and given along with the question.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from policies.errors import RelationsRefused
from policies.relations.dsl import parse_model
from policies.relations.evaluator import MOST_CONTEXTUAL, Evaluator
from policies.relations.refusals import ConditionFailed, QuestionRefused, TooDeep, TupleRefused
from policies.relations.store_file import tuple_from_json
from policies.relations.tuples import RelationshipTuple, TupleIndex
from tests.servers.catalogue import server
from tests.servers.need import need

FILES = ("consolidated_1_1_tests.yaml", "abac_tests.yaml")
# https://openfga.dev/docs/interacting/managing-relationships-api, error codes: what each is here
REFUSALS: dict[int, tuple[type[RelationsRefused], ...]] = {
    2000: (QuestionRefused, ConditionFailed, TupleRefused),
    2002: (TooDeep,),
    2021: (QuestionRefused,),
    2022: (QuestionRefused,),
    2027: (TupleRefused,),
}
LEAST = {"check": 300, "objects": 200, "users": 200}
"""Assertions there must be, stored and again contextual, so that an empty matrix is not a pass."""


def matrix() -> Path:
    """The folder with the files; skipped or failed aloud like a missing server."""
    need("openfga")
    go = shutil.which("go")
    cache = Path(subprocess.run([go, "env", "GOMODCACHE"], check=True, capture_output=True, text=True).stdout.strip()) if go else None
    modules = sorted((cache / "github.com" / "openfga").glob("openfga@v*")) if cache else []
    wanted = [module for module in modules if module.name == f"openfga@v{server('openfga').version}"] or modules[-1:]
    if wanted:
        return wanted[0] / "assets" / "tests"
    message = "server 'openfga' is here without its test matrix: go mod download github.com/openfga/openfga@v" + server("openfga").version
    if os.environ.get("CI"):
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


@dataclass(frozen=True)
class Assertion:
    """One line of the matrix, with the evaluator it is put to."""

    name: str
    evaluator: Evaluator
    contextual: tuple[RelationshipTuple, ...]
    document: dict[str, Any]

    @property
    def expected(self) -> Any:
        return self.document.get("expectation")

    @property
    def refusal(self) -> int:
        return self.document.get("errorCode", 0)


@functools.cache
def loaded(folder: Path) -> tuple[dict[str, Any], ...]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return tuple(test for file in FILES for test in yaml.load((folder / file).read_text(), loader)["tests"])


def assertions(folder: Path, key: str, *, contextual: bool) -> Iterator[Assertion]:
    for test in loaded(folder):
        if contextual and len(test["stages"]) > 1:
            continue  # stages after the first expect what the earlier ones stored
        index = TupleIndex()
        for number, stage in enumerate(test["stages"]):
            tuples = tuple(tuple_from_json(one) for one in stage.get("tuples") or ())
            if contextual and len(tuples) > MOST_CONTEXTUAL:
                continue
            evaluator = Evaluator(parse_model(stage["model"]), index)
            for one in () if contextual else tuples:
                assert evaluator.model.why_not(one) is None, f"{test['name']}: {one}"
                index.add(one)
            for document in stage.get(key) or ():
                along = tuple(tuple_from_json(one) for one in document.get("contextualTuples") or ())
                yield Assertion(f"{test['name']}, stage {number}", evaluator, along + (tuples if contextual else ()), document)


def failure(assertion: Assertion, answer) -> str | None:
    """None where `answer` is what the matrix expects."""
    try:
        found = answer()
    except RelationsRefused as problem:
        found = problem
    if assertion.refusal:
        right = isinstance(found, REFUSALS[assertion.refusal])
    else:
        right = found == (assertion.expected if isinstance(assertion.expected, bool) else sorted(assertion.expected or []))
    return None if right else f"{assertion.name}: {assertion.document}\n    found {found!r}"


def along(assertion: Assertion) -> dict[str, Any]:
    return {"context": assertion.document.get("context") or {}, "contextual": assertion.contextual}


def checked(assertion: Assertion) -> bool:
    asked = assertion.document["tuple"]
    return assertion.evaluator.proof(asked["user"], asked["relation"], asked["object"], **along(assertion)) is not None


def listed_objects(assertion: Assertion) -> list[str]:
    asked = assertion.document["request"]
    return list(assertion.evaluator.objects(asked["user"], asked["relation"], asked["type"], **along(assertion)).names)


def listed_users(assertion: Assertion) -> list[str]:
    asked = assertion.document["request"]
    [kind] = asked["filters"]
    type_name, _, relation = kind.partition("#")
    return list(assertion.evaluator.users(asked["object"], asked["relation"], type_name, relation or None, **along(assertion)).names)


KINDS = {
    "check": ("checkAssertions", checked),
    "objects": ("listObjectsAssertions", listed_objects),
    "users": ("listUsersAssertions", listed_users),
}


@pytest.mark.parametrize("contextual", [False, True], ids=["stored", "contextual"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_assertion_of_the_official_matrix_holds(kind, contextual):
    """What OpenFGA promises of a check and of both lists, and what it refuses, is so here; none is tolerated otherwise."""
    key, answer = KINDS[kind]
    found = [failure(one, lambda one=one: answer(one)) for one in assertions(matrix(), key, contextual=contextual)]
    failures = [text for text in found if text]
    assert not failures, f"{len(failures)} of {len(found)}:\n" + "\n".join(failures[:20])
    assert len(found) >= LEAST[kind]


@pytest.mark.parametrize("kind", ["objects", "users"])
def test_a_list_of_the_matrix_says_nothing_a_check_does_not(kind):
    """Each name the matrix expects in a list is also related by a check."""
    for one in assertions(matrix(), KINDS[kind][0], contextual=False):
        asked = one.document["request"]
        for name in [] if one.refusal else one.expected or []:
            user, object = (asked["user"], name) if kind == "objects" else (name, asked["object"])
            assert one.evaluator.proof(user, asked["relation"], object, **along(one)), f"{one.name}: {user} {asked['relation']} {object}"
