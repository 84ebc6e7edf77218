"""The exam runs once on each forge."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from providers.vcs import Forge, ForgeSetup
from tests.contract.vcs.stages import STAGES, Stage


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=sorted(STAGES))
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    stage = STAGES[request.param]()
    yield stage
    stage.check()


@pytest.fixture
async def forge(stage: Stage) -> AsyncIterator[Forge]:
    forge = stage.forge()
    yield forge
    await forge.close()


@pytest.fixture
async def setup(stage: Stage) -> AsyncIterator[ForgeSetup]:
    setup = stage.setup()
    yield setup
    await setup.close()
