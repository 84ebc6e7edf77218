"""The server's documents, read strictly: what is not exactly as documented is a fault, and no answer is read out of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TypeAlias

from policies.errors import RelationsUnavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The server says that this question cannot be answered: its own validation error."""

    message: str


Answer: TypeAlias = bool | Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """A page of changes to tuples. token: where the next page begins."""

    count: int
    token: str


def newest_model(body: object) -> str | None:
    """Id of the first model of a list that begins with the newest; None where there is none."""
    match body:
        case {"authorization_models": []}:
            return None
        case {"authorization_models": [{"id": str(id)}, *_]} if id:
            return id
    raise _not_as_documented("authorization models")


def answers(body: object, asked: Collection[str]) -> Mapping[str, Answer]:
    """Exactly one answer for each correlation id that was asked, and none for another."""
    match body:
        case {"result": dict(result)}:
            found = {id: _answer(one) for id, one in result.items()}
        case _:
            raise _not_as_documented("a batch")
    if found.keys() != set(asked):
        raise RelationsUnavailable(f"the OpenFGA server answers {len(found)} of {len(asked)} questions, or others than were asked")
    return found


def _answer(one: object) -> Answer:
    match one:
        case {"error": {"input_error": str(code), "message": str(message)}} if code != "no_input_error":
            return Refused(message=message[:500])
        case {"error": {"internal_error": str(code)}}:
            raise RelationsUnavailable(f"the OpenFGA server has a fault while checking ({code[:100]})")
        case {"allowed": bool(allowed), **rest} if not rest.get("error"):
            return allowed
    raise _not_as_documented("a check")


def changes(body: object) -> Changes:
    match body:
        case {"changes": list(changes), "continuation_token": str(token)}:
            return Changes(count=len(changes), token=token)
    raise _not_as_documented("changes")


def date(headers: Mapping[str, str]) -> datetime:
    """The time a response was made at. https://www.rfc-editor.org/rfc/rfc9110#field.date"""
    found = next((value for name, value in headers.items() if name.lower() == "date"), "")
    try:
        at = parsedate_to_datetime(found)
    except ValueError as problem:
        raise _not_as_documented("its time") from problem
    if at.tzinfo is None:
        raise _not_as_documented("its time")
    return at


def _not_as_documented(what: str) -> RelationsUnavailable:
    return RelationsUnavailable(f"the OpenFGA server's answer about {what} is not as documented")
