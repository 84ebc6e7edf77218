"""What people said to what waits for them, in the order they said it."""

from __future__ import annotations

import json

from sqlalchemy import Connection, select

from gateway.storage.keys import key
from gateway.storage.sql.submission_tables import approvals
from policies.canonical import canonical
from policies.document import approval_from
from policies.model import Approval


def add_approval(connection: Connection, about: str, approval: Approval) -> None:
    """One more."""
    connection.execute(approvals.insert(), {"about_key": key(about), "document": canonical(approval.document())})


def list_approvals(connection: Connection, about: str) -> tuple[Approval, ...]:
    """Oldest first."""
    query = select(approvals.c.document).where(approvals.c.about_key == key(about)).order_by(approvals.c.ord)
    return tuple(approval_from(json.loads(document)) for document in connection.scalars(query))
