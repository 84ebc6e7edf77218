"""Who changed what the gateway judges by, and when: written in the transaction that changes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from policies.model import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """who: a token's name, or `admit.yaml`. what: `bundle.published` and the like. about: the name of what was changed."""

    at: datetime
    who: str
    what: str
    about: str
    details: Mapping[str, Json] = field(default_factory=dict)
