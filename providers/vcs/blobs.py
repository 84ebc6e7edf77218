"""A file's bytes as forges hand them out (base64 in JSON), held to the name git has for them. Pure.

Separate because every forge that is read by its API hands blobs out like this, and a wrong or shortened one must be noticed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

from providers.vcs.documents import Document, UnexpectedShape

MOST_FILES = 1_000
"""Files in a folder that is read."""
MOST_BYTES = 10 * 1024 * 1024
"""Bytes in all of them together."""


def named_content(blob: Document, sha: str) -> bytes:
    """What `content` holds. Raises UnexpectedShape unless it is the blob that `sha` (SHA-1 or SHA-256) names."""
    try:
        content = base64.b64decode(blob.text("content"), validate=True)
    except binascii.Error as problem:
        raise UnexpectedShape(f"{blob.where}: expected base64") from problem
    if name_of(content, sha256=len(sha) == 64) != sha:
        raise UnexpectedShape(f"{blob.where}: the content is not the one its name stands for")
    return content


def name_of(content: bytes, *, sha256: bool = False) -> str:
    """Git's name for a blob of this content."""
    named = b"blob %d\0" % len(content) + content
    return hashlib.sha256(named).hexdigest() if sha256 else hashlib.sha1(named, usedforsecurity=False).hexdigest()
