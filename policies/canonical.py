"""Canonical bytes and digests: one way to write a value down, so that equal means equal bytes.

RFC 8785 (JSON Canonicalization Scheme) by the `rfc8785` package. Values without floats and with ASCII keys, which is
nearly all that is ever recorded, are written by the standard library's encoder instead: for those it gives the same
bytes, a property test holds the two together, and it takes a tenth of the time. Different kinds hash with different
prefixes, so that a digest of one can never pass for another's.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Literal

from policies.errors import NotCanonical
from policies.model import Digest, Json

Kind = Literal["facts", "relations", "bundle", "verdict", "decision", "delivery", "file", "generation"]

_LARGEST = 2**53 - 1
"""The largest whole number every JSON reader keeps (RFC 8785, section 3.2.2.3)."""


def canonical(value: object) -> bytes:
    """The RFC 8785 bytes of a JSON value.

    Raises NotCanonical for what JSON cannot carry the same everywhere and back: whole numbers beyond
    2**53 - 1 (also as floats), NaN and infinities, lone surrogates, anything that is not JSON.
    """
    try:
        if _is_plain(value):
            return _ENCODER.encode(value).encode()
        return _any(value)
    except (ValueError, RecursionError) as problem:
        raise NotCanonical(f"expected a JSON value that every machine reads alike, found one that is not: {problem}") from problem


def _any(value: object) -> bytes:
    import rfc8785  # seldom needed, and a dry run starts in the time it takes to load

    return rfc8785.dumps(_copied(value))


def digest(kind: Kind, content: bytes) -> Digest:
    """SHA-256 over `admit:<kind>\\n` and the bytes."""
    return Digest("sha256:" + hashlib.sha256(f"admit:{kind}\n".encode() + content).hexdigest())


_ENCODER = json.JSONEncoder(ensure_ascii=False, check_circular=False, allow_nan=False, sort_keys=True, separators=(",", ":"))


def _is_plain(value: Any) -> bool:
    """True where the standard encoder's bytes are RFC 8785's: no float, no large number, no key outside ASCII, no subclass."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is dict:
        for key, item in value.items():
            if type(key) is not str or not key.isascii():
                return False
            if type(item) is not str and item is not None and not _is_plain(item):  # most are one or the other: asked here for speed
                return False
        return True
    if kind is list or kind is tuple:
        return all(map(_is_plain, value))
    return kind is int and -_LARGEST <= value <= _LARGEST


def _copied(value: object) -> Json:
    if isinstance(value, Mapping):
        return {str(key): _copied(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_copied(item) for item in value]
    if isinstance(value, float) and abs(value) > _LARGEST and value.is_integer():
        raise NotCanonical(f"{value} would be written as a whole number that not every machine reads back alike")
    return value  # type: ignore[return-value]


_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def is_digest(text: str) -> bool:
    """True for the written form of a digest."""
    return _DIGEST.fullmatch(text) is not None
