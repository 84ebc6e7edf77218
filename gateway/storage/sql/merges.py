"""Where changes landed, found by the commit their merge made."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import Connection, select

from gateway.domain.landing import Landing, landing_document, landing_from_document
from gateway.storage.keys import key
from gateway.storage.sql.submission_tables import landings
from gateway.storage.sql.upsert import insert_new
from policies.canonical import canonical


def put_landing(connection: Connection, landing: Landing) -> None:
    """One that is known stays as it was first noticed."""
    row = {
        "key": key(landing.connection, landing.repository.lower(), landing.number, landing.sha),
        "commit_key": key(landing.repository.lower(), landing.sha),
        "document": canonical(landing_document(landing)),
    }
    insert_new(connection, landings, row)


def list_landings(connection: Connection, repository: str, sha: str) -> Sequence[Landing]:
    """On any connection."""
    documents = connection.scalars(select(landings.c.document).where(landings.c.commit_key == key(repository.lower(), sha)))
    found = [landing_from_document(json.loads(document)) for document in documents]
    return sorted(found, key=lambda landing: (landing.connection, landing.number))
