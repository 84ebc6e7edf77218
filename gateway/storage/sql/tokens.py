"""API tokens, by name and by hash."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, select

from gateway.domain.audit import AuditEvent
from gateway.storage.documents import token_document, token_from_document
from gateway.storage.keys import is_name
from gateway.storage.port import StoredToken
from gateway.storage.sql.bundle_history import write_event
from gateway.storage.sql.tables import tokens
from gateway.storage.sql.upsert import insert_new, put
from policies.canonical import canonical


def put_token(connection: Connection, token: StoredToken) -> None:
    """Keep it; a known name is replaced."""
    put(connection, tokens, _row(token))


def create_token(connection: Connection, token: StoredToken, event: AuditEvent) -> bool:
    """False, and nothing changes, if the name is known."""
    if not insert_new(connection, tokens, _row(token)):
        return False
    write_event(connection, event)
    return True


def revoke_token(connection: Connection, name: str, at: datetime, event: AuditEvent) -> StoredToken | None:
    """Not valid from then on; None if nobody knows the name."""
    if not is_name(name):
        return None
    document = connection.scalar(select(tokens.c.document).where(tokens.c.name == name).with_for_update())
    if document is None:
        return None
    token = token_from_document(json.loads(document))
    if token.revoked_at is not None:
        return token
    revoked = replace(token, revoked_at=at)
    put(connection, tokens, _row(revoked))
    write_event(connection, event)
    return revoked


def list_tokens(connection: Connection) -> Sequence[StoredToken]:
    """By name."""
    found = [token_from_document(json.loads(document)) for document in connection.scalars(select(tokens.c.document))]
    return sorted(found, key=lambda token: token.name)


def read_token(connection: Connection, hash: str) -> StoredToken | None:
    """By hash."""
    if not is_name(hash):
        return None
    document = connection.scalar(select(tokens.c.document).where(tokens.c.hash == hash))
    return None if document is None else token_from_document(json.loads(document))


def has_tokens(connection: Connection) -> bool:
    """Whether any token exists."""
    return connection.scalar(select(tokens.c.name).limit(1)) is not None


def _row(token: StoredToken) -> dict[str, object]:
    return {"name": token.name, "hash": token.hash, "document": canonical(token_document(token))}
