"""Ask for a real server in a test: its binary, or a loud skip; in CI its absence is a failure."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.servers.catalogue import server


def need(name: str) -> Path:
    """The server's binary. Absent: the test is skipped and the closing summary says how to get it; under CI it fails."""
    wanted = server(name)
    path = wanted.path()
    if path is not None:
        return path
    message = f"server '{name}' is not here: {wanted.how_to_get}"
    if os.environ.get("CI"):
        pytest.fail(message, pytrace=False)
    pytest.skip(message)
