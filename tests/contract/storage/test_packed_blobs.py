"""Large blobs take little room in a database, and nobody who reads them notices."""

from __future__ import annotations

import json
import zlib

import pytest
from sqlalchemy import func, select, update

from gateway.errors import Erased, StorageError
from gateway.storage.sql import SqlStorage
from gateway.storage.sql.tables import blobs
from policies.canonical import digest
from tests.contract.storage.builders import a_delivery, an_event

pytestmark = pytest.mark.anyio

BODY = json.dumps({"commits": [{"id": f"{number:040x}", "message": "Sell more"} for number in range(300)]}).encode()
NAME = digest("delivery", BODY)


async def test_large_body_takes_little_room(database):
    """Beside one that is not packed; both are read and listed whole."""
    storage = SqlStorage(database)
    await storage.record_delivery(a_delivery(id="large", body=BODY), [])
    await storage.record_delivery(a_delivery(id="small", body=b"{}"), [])
    room = await database.read(lambda c: dict(c.execute(select(blobs.c.digest, func.length(blobs.c.content))).all()))
    assert room[NAME] < len(BODY) / 3
    assert (await storage.delivery("work", "large")).body == BODY
    assert dict(await storage.blobs_of("delivery")) == {NAME: BODY, digest("delivery", b"{}"): b"{}"}


async def test_erased_large_body_says_so(database):
    """The tombstone in its place is not packed."""
    storage = SqlStorage(database)
    await storage.record_delivery(a_delivery(id="large", body=BODY), [])
    await storage.erase_blobs([NAME], why="somebody asked", event=an_event("person.erased", "record"))
    with pytest.raises(Erased, match="somebody asked"):
        await storage.blob(NAME)


CHANGED = {
    "one byte": {"content": zlib.compress(BODY)[:-1] + b"\0"},
    "other bytes": {"content": zlib.compress(b"{}")},
    "said to be packed": {"content": BODY},
    "said not to be": {"packing": None},
}


@pytest.mark.parametrize("values", CHANGED.values(), ids=CHANGED)
async def test_changed_large_body_is_named(database, values):
    """Whichever way it no longer is what its digest says."""
    storage = SqlStorage(database)
    await storage.record_delivery(a_delivery(id="large", body=BODY), [])
    await database.write(lambda c: c.execute(update(blobs).where(blobs.c.digest == NAME).values(values)))
    with pytest.raises(StorageError, match=f"{NAME} has been changed"):
        await storage.blob(NAME)
