"""Cases: whole judgements an author expects, beside the Rego tests of single rules.

They lie in files that end in `.case` (YAML inside; stock `opa` loads every `.yaml` and `.json` it finds as
data, and leaves these alone):

    cases:
      - name: an owner's approval is enough
        input: {change: {reviews: [{user: bea}]}}          # over a complete default document
        relations: [{user: "user:work/bea", relation: owner, object: "repository:work/12"}]
        expect: admitted

`relations` is what is related (everything else is not); or `store` names an OpenFGA store file of the bundle to ask.
`messages`, where given, are all messages of what stands in the way, and nothing else; `warnings` likewise.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import Field

from policies.bundles.example import a_document
from policies.bundles.model import Bundle
from policies.bundles.strict import Strict, fitted
from policies.bundles.text import Unreadable, read_text, read_yaml
from policies.document import request_from_document
from policies.errors import BundleRefused, Problem, RequestRefused
from policies.model import AdmissionRequest, Outcome, Question

__all__ = ["Case", "a_document", "read_cases"]

CASE_FILES = ".case"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One expected judgement.

    package: judge by this policy of the bundle alone; None = by all that match.
    related: exactly these hold, and no other relation; None where there is a store.
    store: text of an OpenFGA store file (model and tuples) to answer from.
    messages, warnings: in any order; None = whatever they are.
    """

    name: str
    path: str
    line: int
    request: AdmissionRequest
    package: str | None
    related: frozenset[Question] | None
    store: str | None
    outcome: Outcome
    messages: tuple[str, ...] | None
    warnings: tuple[str, ...] | None


class _Tuple(Strict):
    user: str
    relation: str
    object: str


class _Case(Strict):
    name: Annotated[str, Field(min_length=1)]
    input: dict[str, Any] = Field(default_factory=dict)
    package: str | None = None
    relations: list[_Tuple] | None = None
    store: str | None = None
    at: str | None = None
    expect: Annotated[Outcome, Field(strict=False)]
    messages: list[str] | None = None
    warnings: list[str] | None = None


class _File(Strict):
    cases: Annotated[list[_Case], Field(min_length=1)]


def read_cases(bundle: Bundle) -> tuple[Case, ...]:
    """Every case of a bundle, by file and as they stand in it. Raises BundleRefused with every problem in them."""
    cases: list[Case] = []
    problems: list[Problem] = []
    for path in sorted(bundle.files):
        if path.endswith(CASE_FILES):
            found = list(_in_file(path, bundle))
            cases += [each for each in found if isinstance(each, Case)]
            problems += [each for each in found if isinstance(each, Problem)]
    if problems:
        raise BundleRefused(bundle.name, problems)
    return tuple(cases)


def _in_file(path: str, bundle: Bundle) -> Iterable[Case | Problem]:
    try:
        document = read_yaml(path, bundle.files[path])
    except Unreadable as unreadable:
        return [unreadable.problem]
    parsed = fitted(_File, document, path)
    if not isinstance(parsed, _File):
        return parsed
    return [_case(case, path, document.line(("cases", number)) or 1, bundle) for number, case in enumerate(parsed.cases)]


def _case(case: _Case, path: str, line: int, bundle: Bundle) -> Case | Problem:
    overrides = case.input if case.at is None else {**case.input, "time": case.at}
    try:
        request = request_from_document(a_document(overrides))
        store = None if case.store is None else _store(case.store, path, bundle)
    except RequestRefused as refused:
        return Problem(path=path, line=line, message=f"case '{case.name}': {refused}")
    except Unreadable as unreadable:
        return Problem(path=path, line=line, message=f"case '{case.name}': {unreadable.problem.message}", advice=unreadable.problem.advice)
    if case.package is not None and case.package not in (known := [policy.id.package for policy in bundle.policies]):
        return Problem(
            path=path, line=line, message=f"case '{case.name}': package: expected one of {', '.join(known)}, found {case.package}"
        )
    if case.relations is not None and store is not None:
        return Problem(path=path, line=line, message=f"case '{case.name}': expected relations or a store, found both")
    related = None if store is not None else frozenset(_question(each) for each in case.relations or ())
    return Case(
        name=case.name,
        path=path,
        line=line,
        request=request,
        package=case.package,
        related=related,
        store=store,
        outcome=case.expect,
        messages=None if case.messages is None else tuple(case.messages),
        warnings=None if case.warnings is None else tuple(case.warnings),
    )


def _question(given: _Tuple) -> Question:
    return Question(user=given.user, relation=given.relation, object=given.object)


def _store(name: str, path: str, bundle: Bundle) -> str:
    beside = (PurePosixPath(path).parent / name).as_posix()
    if beside not in bundle.files:
        raise Unreadable(f"store: expected a store file of the bundle, found no {beside}", path=path, advice="it is named from this file")
    return read_text(beside, bundle.files[beside])
