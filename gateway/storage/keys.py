"""Keys for what people and forges name as they like: any length, NUL, trailing blanks, odd case.

Databases disagree on all of those (PostgreSQL refuses NUL, MySQL ignores trailing blanks, an index takes 191 characters),
so an identity made of free text is looked up by the hash of its parts, the same on every database.
"""

from __future__ import annotations

import hashlib
import json

_NAME_LIMIT = 191


def key(*parts: str | int) -> str:
    """64 hex digits for these parts in this order. Text and number differ: `"1"` is not `1`."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def repository_key(repository: str) -> str:
    """Forges ignore the case of a repository's name."""
    return key(repository.lower())


def change_key(connection: str, repository: str, number: int) -> str:
    """One change of one connection."""
    return key(connection, repository.lower(), number)


def head_key(connection: str, repository_id: str, sha: str) -> str:
    """One commit of one repository, as head of however many changes."""
    return key(connection, repository_id, sha)


def is_name(text: str) -> bool:
    """True for what an `ExactName` column holds on every database; nothing else was ever stored under one."""
    return 0 < len(text) <= _NAME_LIMIT and text.isprintable() and text == text.strip() and _encodable(text)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
