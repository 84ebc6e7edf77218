"""From a document someone hands in to the request it asks, or to everything that is wrong with it.

Used by `admit check` and by POST /v1/admissions: the one place where a question that was not gathered
by the gateway itself becomes an `AdmissionRequest`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Literal

from policies.errors import RequestRefused
from policies.model import MAY_BE_ABSENT, AdmissionRequest, Approval, Approvals, ChangeFacts, Word, WorkflowFacts, rfc3339
from policies.nearest import nearest
from policies.schema import Fit, Misfit, described, fit_into, top_shape

_SHOWN = 10
_MAY_BE_ABSENT = frozenset(("change", fact) for fact in MAY_BE_ABSENT)
_MAY_BE_NULL = ("change", "workflow", "approvals", "code_owners")


def request_from_document(document: object, *, at: datetime | None = None) -> AdmissionRequest:
    """The request a document asks, or RequestRefused with the path of everything that is wrong.

    at: the time where the document has none. `subject` may be missing for a change (its author then),
    `action` follows from the thing. `parameters` and `relations` are never taken from a document.
    Facts that may be absent (MAY_BE_ABSENT, as in what a gateway recorded) stay absent, which no policy takes for none.
    Whether every machine reads its numbers and texts alike is found where it is judged (NotCanonical).
    """
    if not isinstance(document, Mapping):
        raise RequestRefused(f"expected an object with version, action, subject and a change or a workflow; found {_found(document)}")
    kind = _thing_of(document)
    complete = _completed(document, kind, at)
    misfits: list[Misfit] = []
    facts = _input()(complete, (), misfits)
    wrong = [misfit for misfit in misfits if misfit.kind != "missing" or misfit.place not in _MAY_BE_ABSENT]
    if wrong:
        raise RequestRefused(_report(wrong))
    thing = ChangeFacts(document=facts["change"]) if kind == "change" else WorkflowFacts(document=facts["workflow"])
    time, said = datetime.fromisoformat(facts["time"]), facts["approvals"]
    return AdmissionRequest(
        subject=facts["subject"],
        thing=thing,
        time=time,
        approvals=approvals_from(said) if said else None,
        code_owners=facts["code_owners"] if kind == "change" else None,
    )


def approvals_from(document: Mapping[str, Any]) -> Approvals:
    """From the input's `approvals`, whose shape has been checked."""
    return Approvals(given=tuple(map(approval_from, document["given"])), same_person=document["same_person"])


def approval_from(document: Mapping[str, Any]) -> Approval:
    """From one of `approvals.given`."""
    return Approval(
        user=document["user"],
        name=document["name"],
        word=Word(document["word"]),
        at=datetime.fromisoformat(document["at"]),
        until=datetime.fromisoformat(document["until"]),
        reason=document["reason"],
    )


def _thing_of(document: Mapping[str, Any]) -> Literal["change", "workflow"]:
    here = [key for key in ("change", "workflow") if document.get(key) is not None]
    if len(here) != 1:
        near = {key: guess for key in document if key not in top_shape()["properties"] and (guess := nearest(key, ["change", "workflow"]))}
        hint = "".join(f"; did you mean {guess!r} where it says {key!r}?" for key, guess in near.items())
        raise RequestRefused(f"expected either a change or a workflow, found {' and '.join(here) or 'neither'}{hint}")
    for key in ("parameters", "relations"):
        if key in document:
            whence = "bundle.yaml" if key == "parameters" else "the relations the gateway asks for, or --relations"
            raise RequestRefused(f"{key}: not taken from a document, found one; remove it, they come from {whence}")
    return "change" if here == ["change"] else "workflow"


def _completed(document: Mapping[str, Any], kind: Literal["change", "workflow"], at: datetime | None) -> dict[str, Any]:
    said = {key: value for key, value in document.items() if value is not None or key not in _MAY_BE_NULL}
    complete: dict[str, Any] = {"parameters": {}, "relations": {}, **said}
    action = "merge" if kind == "change" else "submit"
    if complete.setdefault("action", action) != action:
        raise RequestRefused(f"action: expected {action!r} for a {kind}, found {complete['action']!r}")
    if at is not None:
        complete.setdefault("time", rfc3339(at))
    thing = complete[kind]
    if kind == "change" and isinstance(thing, Mapping) and "author" in thing:
        complete.setdefault("subject", thing["author"])
    return complete


@cache
def _input() -> Fit:
    return fit_into(top_shape())


def _report(misfits: Sequence[Misfit]) -> str:
    lines = [_line(misfit) for misfit in misfits]
    more = [f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    return "the document does not fit the input's schema, version 1:\n" + "\n".join(f"  {line}" for line in lines[:_SHOWN] + more)


def _line(misfit: Misfit) -> str:
    """`change.files[0].additions: expected a whole number or null, found "three"`."""
    where = _written(misfit.place)
    if misfit.kind == "unknown":
        names = misfit.shape["properties"]
        guess = nearest(str(misfit.place[-1]), names)
        return f"{where}: unknown key" + (f"; did you mean {guess!r}?" if guess else f"; expected one of {', '.join(names)}")
    return f"{where}: expected {described(misfit.shape)}, found {'nothing' if misfit.kind == 'missing' else _found(misfit.value)}"


def _written(place: tuple[int | str, ...]) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return text.removeprefix(".")


def _found(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str():
            return f'"{value[:40]}{"…" if len(value) > 40 else ""}"'
        case int() | float():
            return str(value)
        case Mapping():
            return "an object"
        case list():
            return "a list"
        case _:
            return type(value).__name__
