"""Collected only by `make test-targets`."""

from __future__ import annotations

import os

import pytest

if not os.environ.get("ADMIT_ORCHESTRATORS"):
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture
def anyio_backend():
    """The gateway runs on asyncio."""
    return "asyncio"
