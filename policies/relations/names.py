"""The names of users, objects and relations: what may be one, and its parts.

Checked where a name enters; everything behind trusts them.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from policies.relations.refusals import TupleRefused

# https://openfga.dev/api/service: `user` at most 512 bytes, `object` 256, `relation` 50
LONGEST_USER, LONGEST_OBJECT, LONGEST_RELATION = 512, 256, 50

_PART = r"[^\s:#\x00-\x1f\x7f-\x9f\ud800-\udfff]+"
_OBJECT = re.compile(f"({_PART}):({_PART})")
_USERSET = re.compile(rf"({_PART}):([^\s:#*\x00-\x1f\x7f-\x9f\ud800-\udfff]+)#([^\s:#@*\x00-\x1f\x7f-\x9f\ud800-\udfff]+)")
_RELATION = re.compile(r"[^\s:#@\x00-\x1f\x7f-\x9f\ud800-\udfff]+")


class UserName(NamedTuple):
    """A user's parts. `facet`: empty for an object, `*` for everybody of the type, else the userset's relation."""

    type: str
    object: str
    facet: str

    @property
    def is_userset(self) -> bool:
        return self.facet not in ("", "*")


def user_name(text: str) -> UserName:
    """`user:ana`, `user:*` or `team:core#member` in parts. Raises TupleRefused."""
    if len(text.encode(errors="replace")) > LONGEST_USER:
        raise TupleRefused(f"a user is at most {LONGEST_USER} bytes, found one of {len(text.encode(errors='replace'))}: {_shown(text)}")
    if found := _OBJECT.fullmatch(text):
        return UserName(found[1], text, "*" if found[2] == "*" else "")
    if found := _USERSET.fullmatch(text):
        return UserName(found[1], f"{found[1]}:{found[2]}", found[3])
    raise TupleRefused(f"expected a user as type:id, type:* or type:id#relation, found {_shown(text)}")


def object_type(text: str) -> str:
    """The type of `type:id`. Raises TupleRefused, also for `type:*`: an object is always one."""
    found = _OBJECT.fullmatch(text)
    if found is None or found[2] == "*":
        raise TupleRefused(f"expected an object as type:id, found {_shown(text)}")
    if len(text.encode()) > LONGEST_OBJECT:
        raise TupleRefused(f"an object is at most {LONGEST_OBJECT} bytes, found one of {len(text.encode())}: {_shown(text)}")
    return found[1]


def relation_name(text: str) -> str:
    """The text, if it can name a relation. Raises TupleRefused."""
    if _RELATION.fullmatch(text) is None or len(text) > LONGEST_RELATION:
        raise TupleRefused(f"expected a relation: 1 to {LONGEST_RELATION} characters without space, ':', '#' and '@', found {_shown(text)}")
    return text


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 80 else text[:77] + "...")
