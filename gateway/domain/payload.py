"""How payloads are written down: JSON text of a bounded size, whoever writes one, so that every engine can take it.

Text is ASCII, so that no database refuses it.
"""

from __future__ import annotations

import json

from gateway.errors import PayloadTooLarge
from policies.model import Json

PAYLOAD_LIMIT = 256 * 1024
"""Bytes of one input, argument list, result or signal."""

json_text = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
"""The text of a value: one encoder for all, since making one costs as much as using it."""


def encoded(payload: Json, what: str) -> str:
    """The JSON text of a payload. Raises PayloadTooLarge for what is not JSON or too big; `what` names it."""
    try:
        text = json_text(payload)
    except (TypeError, ValueError, RecursionError) as problem:
        raise PayloadTooLarge(f"{what}: expected a JSON value, found one that is not: {problem}") from problem
    if len(text) > PAYLOAD_LIMIT:
        raise PayloadTooLarge(f"{what}: expected at most {PAYLOAD_LIMIT} bytes of JSON, found {len(text)}; pass the digest of a blob")
    return text
