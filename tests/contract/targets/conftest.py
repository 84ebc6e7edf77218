"""What the targets' exam runs on."""

from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend():
    """The gateway runs on asyncio."""
    return "asyncio"
