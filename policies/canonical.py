"""Canonical bytes and digests: one way to write a value down, so that equal means equal bytes.

RFC 8785 (JSON Canonicalization Scheme) by the `rfc8785` package. Different kinds hash
with different prefixes, so that a digest of one can never pass for another's.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Literal

import rfc8785

from policies.errors import NotCanonical
from policies.model import Digest, Json

Kind = Literal["facts", "relations", "bundle", "verdict", "decision", "delivery", "file"]


def canonical(value: object) -> bytes:
    """The RFC 8785 bytes of a JSON value.

    Raises NotCanonical for what JSON cannot carry the same everywhere: integers beyond
    2**53 - 1, NaN and infinities, lone surrogates, anything that is not JSON.
    """
    try:
        return rfc8785.dumps(_plain(value))
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, RecursionError) as problem:
        raise NotCanonical(f"expected a JSON value that every machine reads alike, found one that is not: {problem}") from problem


def digest(kind: Kind, content: bytes) -> Digest:
    """SHA-256 over `admit:<kind>\\n` and the bytes."""
    return Digest("sha256:" + hashlib.sha256(f"admit:{kind}\n".encode() + content).hexdigest())


def _plain(value: object) -> Json:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value  # type: ignore[return-value]


_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def is_digest(text: str) -> bool:
    """True for the written form of a digest."""
    return _DIGEST.fullmatch(text) is not None
