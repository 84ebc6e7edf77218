"""API tokens, by name and by hash."""

from __future__ import annotations

import json

from sqlalchemy import Connection, select

from gateway.storage.documents import token_document, token_from_document
from gateway.storage.keys import is_name
from gateway.storage.port import StoredToken
from gateway.storage.sql.tables import tokens
from gateway.storage.sql.upsert import put
from policies.canonical import canonical


def put_token(connection: Connection, token: StoredToken) -> None:
    """Keep it; a known name is replaced."""
    put(connection, tokens, {"name": token.name, "hash": token.hash, "document": canonical(token_document(token))})


def read_token(connection: Connection, hash: str) -> StoredToken | None:
    """By hash."""
    if not is_name(hash):
        return None
    document = connection.scalar(select(tokens.c.document).where(tokens.c.hash == hash))
    return None if document is None else token_from_document(json.loads(document))


def has_tokens(connection: Connection) -> bool:
    """Whether any token exists."""
    return connection.scalar(select(tokens.c.name).limit(1)) is not None
