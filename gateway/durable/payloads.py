"""Payloads as histories hold them: written by `gateway.domain.payload`, read back here.

What a workflow is given is always what was written, decoded: a tuple that went in comes out as a list at once, and not
only after the next restart.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gateway.domain.payload import PAYLOAD_LIMIT, encoded, json_text
from policies.model import Json

__all__ = ["PAYLOAD_LIMIT", "attributes_text", "decoded", "encoded"]


def decoded(text: str) -> Json:
    """The inverse of `encoded`."""
    value: Json = json.loads(text)
    return value


def attributes_text(attributes: Mapping[str, Any] | list[Any]) -> str:
    """An event's attributes; its payloads have been checked one by one."""
    return json_text(attributes)
