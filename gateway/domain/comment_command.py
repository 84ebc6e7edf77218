"""Commands in comments on changes: `/run deploy env=prod`.

A line of its own, the whole line. What follows the workflow's name is its input, field by field, as `admit submit` reads
it; `on TARGET` before that names where it is to run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.domain.record import change_workflow_id
from policies.model import Json
from providers.vcs import NOT_READ, Actor, ActorKind, Change, Comment

_LINE = re.compile(
    r"/run[ \t]+(?P<workflow>[A-Za-z0-9][A-Za-z0-9._-]*)(?:[ \t]+on[ \t]+(?P<target>[a-z0-9-]+))?(?P<rest>(?:[ \t]+\S+)*)[ \t]*"
)
_FIELD = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_.-]*)=(?P<value>\S*)")
_LARGEST = 2**53 - 1
_LONGEST = 2000
"""Characters of a line that is read as a command."""
FRESH = timedelta(hours=1)
"""A comment older than this commands nothing: what was asked long ago may not be wanted any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentCommand:
    """One command. key: the same however often the comment is read."""

    by: Actor
    workflow: str
    target: str | None
    input: dict[str, Json]
    key: str


def commands_in(change: Change, *, now: datetime) -> Iterable[CommentCommand]:
    """Those in comments that are fresh, were never edited, and were made by somebody: people and programs, not ghosts.

    Where a forge cannot say whether a comment was edited it commands nothing. The change is read with its comments.
    """
    assert change.comments is not NOT_READ
    for comment in change.comments or ():
        if comment.edited is not False or comment.user.kind is ActorKind.GHOST or now - comment.created_at > FRESH:
            continue
        yield from _commands(change, comment)


def _commands(change: Change, comment: Comment) -> Iterable[CommentCommand]:
    for number, line in enumerate(comment.body.splitlines()):
        found = _LINE.fullmatch(line.strip()) if len(line) <= _LONGEST and line.startswith("/run") else None
        input = _input(found["rest"]) if found else None
        if found is None or input is None:
            continue
        place = change_workflow_id(change.connection, change.repository.name, change.number)
        key = f"{place}:{comment.created_at.isoformat()}:{number}"
        yield CommentCommand(by=comment.user, workflow=found["workflow"], target=found["target"], input=input, key=key)


def _input(text: str) -> dict[str, Json] | None:
    """None: something in it is no field, so the whole line is no command."""
    input: dict[str, Json] = {}
    for word in text.split():
        field = _FIELD.fullmatch(word)
        if field is None or field["name"] in input:
            return None
        input[field["name"]] = field_value(field["value"])
    return input


def field_value(text: str) -> Json:
    """`3` is a number and `true` a truth, `three` a text; and so is `1.10`, which is a version more often than a number."""
    try:
        value: Json = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return text if isinstance(value, float) or (isinstance(value, int) and abs(value) > _LARGEST) else value
