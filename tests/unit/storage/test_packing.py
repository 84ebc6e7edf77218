"""Large bytes are kept in fewer, and come back as they were."""

from __future__ import annotations

import json
import os
import zlib

import pytest
from isal import isal_zlib

from gateway.errors import StorageError
from gateway.storage.sql import packing

TEXT = json.dumps([{"path": f"src/{number}.py", "status": "modified"} for number in range(1_000)]).encode()
COMPRESSORS = {"isa-l": isal_zlib.compress, "zlib": zlib.compress}


@pytest.mark.parametrize("compress", COMPRESSORS.values(), ids=COMPRESSORS)
def test_packed_bytes_come_back(monkeypatch, compress):
    """A database is read by gateways with and without ISA-L alike."""
    monkeypatch.setattr(packing, "compress", compress)
    kept = packing.packed(TEXT)
    assert len(kept) < len(TEXT) / 4
    assert packing.unpacked(kept) == TEXT


ALONE = {"small": b"a" * 4_096, "nothing": b"", "random": os.urandom(10_000), "too large": b"a" * (1024 * 1024 + 1)}


@pytest.mark.parametrize("content", ALONE.values(), ids=ALONE)
def test_what_is_not_worth_it_stays_as_it_is(content):
    """Small, random, or so large that others would wait."""
    assert packing.packed(content) is None


CHANGED = {
    "others": b"{}",
    "nothing": b"",
    "too few": zlib.compress(TEXT)[:-1],
    "too many": zlib.compress(TEXT) + b"\0",
    "one of them": zlib.compress(TEXT)[:-1] + b"\0",
    "far too many unpacked": zlib.compress(bytes(10_000_000)),
}


@pytest.mark.parametrize("kept", CHANGED.values(), ids=CHANGED)
def test_changed_bytes_are_refused(kept):
    """Also those that would fill the memory."""
    with pytest.raises(StorageError):
        packing.unpacked(kept)
