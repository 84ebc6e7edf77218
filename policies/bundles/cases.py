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
from typing import Any

from policies.bundles.example import a_document
from policies.bundles.model import Bundle
from policies.bundles.strict import fitted, keys, or_nothing
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


_TEXT = {"type": "string"}
_TEXTS = or_nothing({"type": "array", "items": _TEXT})
_TUPLE = keys({"user": _TEXT, "relation": _TEXT, "object": _TEXT})
_CASE = keys(
    {
        "name": {"type": "string", "minLength": 1, "expected": "a text that is not empty"},
        "expect": {"type": "string", "enum": [outcome.value for outcome in Outcome]},
    },
    input={"type": "object", "default": {}},
    package=or_nothing(_TEXT),
    relations=or_nothing({"type": "array", "items": _TUPLE}),
    store=or_nothing(_TEXT),
    at=or_nothing(_TEXT),
    messages=_TEXTS,
    warnings=_TEXTS,
)
_FILE = keys({"cases": {"type": "array", "items": _CASE, "minItems": 1}})


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
    parsed = fitted(_FILE, document, path)
    if isinstance(parsed, list):
        return parsed
    return [_case(case, path, document.line(("cases", number)) or 1, bundle) for number, case in enumerate(parsed["cases"])]


def _case(case: dict[str, Any], path: str, line: int, bundle: Bundle) -> Case | Problem:
    def wrong(what: str, advice: str | None = None) -> Problem:
        return Problem(path=path, line=line, message=f"case '{case['name']}': {what}", advice=advice)

    overrides = case["input"] if case["at"] is None else {**case["input"], "time": case["at"]}
    try:
        request = request_from_document(a_document(overrides))
        store = None if case["store"] is None else _store(case["store"], path, bundle)
    except RequestRefused as refused:
        return wrong(str(refused))
    except Unreadable as unreadable:
        return wrong(unreadable.problem.message, unreadable.problem.advice)
    if case["package"] is not None and case["package"] not in (known := [policy.id.package for policy in bundle.policies]):
        return wrong(f"package: expected one of {', '.join(known)}, found {case['package']}")
    if case["relations"] is not None and store is not None:
        return wrong("expected relations or a store, found both")
    return Case(
        name=case["name"],
        path=path,
        line=line,
        request=request,
        package=case["package"],
        related=None if store is not None else frozenset(Question(**each) for each in case["relations"] or ()),
        store=store,
        outcome=Outcome(case["expect"]),
        messages=None if case["messages"] is None else tuple(case["messages"]),
        warnings=None if case["warnings"] is None else tuple(case["warnings"]),
    )


def _store(name: str, path: str, bundle: Bundle) -> str:
    beside = (PurePosixPath(path).parent / name).as_posix()
    if beside not in bundle.files:
        raise Unreadable(f"store: expected a store file of the bundle, found no {beside}", path=path, advice="it is named from this file")
    return read_text(beside, bundle.files[beside])
