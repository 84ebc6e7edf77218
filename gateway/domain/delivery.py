"""A message on its way in, as it was received and verified."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A verified webhook delivery. (connection, id) is its identity.

    headers: those worth keeping (the forge's own and content-type; no credentials), lower-case names.
    body: the raw bytes whose signature was checked.
    what: the forge's own words for the event.
    """

    connection: str
    id: str
    received_at: datetime
    headers: Mapping[str, str]
    body: bytes
    what: str
