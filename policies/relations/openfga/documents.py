"""The server's documents, read strictly: what is not exactly as documented is a fault, and no answer is read out of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TypeAlias

from policies.errors import RelationsRefused, RelationsUnavailable
from policies.model import Json
from policies.relations.store_file import tuple_from_json
from policies.relations.tuples import RelationshipTuple


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


@dataclass(frozen=True, slots=True, kw_only=True)
class TuplePage:
    """Stored tuples. token: where the next page begins; empty = that was all."""

    tuples: tuple[RelationshipTuple, ...]
    token: str


def tuple_page(body: object) -> TuplePage:
    match body:
        case {"tuples": list(found), "continuation_token": str(token)}:
            return TuplePage(tuples=tuple(_stored(one) for one in found), token=token)
    raise _not_as_documented("tuples")


def _stored(one: object) -> RelationshipTuple:
    match one:
        case {"key": {"user": str(), "relation": str(), "object": str()} as key}:
            try:
                return tuple_from_json({name: value for name, value in key.items() if value is not None})
            except RelationsRefused as problem:
                raise _not_as_documented("a tuple") from problem
    raise _not_as_documented("a tuple")


def model(body: object) -> dict[str, Json]:
    match body:
        case {"authorization_model": dict(found)}:
            return found
    raise _not_as_documented("an authorization model")


def users(body: object) -> tuple[str, ...]:
    """Users and usersets by name, everybody as `type:*`, in order."""
    match body:
        case {"users": list(found)}:
            return tuple(sorted(_user(one) for one in found))
    raise _not_as_documented("users")


def _user(one: object) -> str:
    match one:
        case {"object": {"type": str(kind), "id": str(id)}}:
            return f"{kind}:{id}"
        case {"userset": {"type": str(kind), "id": str(id), "relation": str(relation)}}:
            return f"{kind}:{id}#{relation}"
        case {"wildcard": {"type": str(kind)}}:
            return f"{kind}:*"
    raise _not_as_documented("a user")


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
