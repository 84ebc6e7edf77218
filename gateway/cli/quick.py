"""Commands that read their arguments with the standard library alone, and have OPA load while they load themselves."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from gateway.cli.plain import settings_if_any

if TYPE_CHECKING:
    from gateway.config import Settings
    from policies.engines import PolicyEngine

Result = TypeVar("Result")


class Arguments(argparse.ArgumentParser):
    """A parser of one command. text: its help, as it is to be read."""

    def __init__(self, name: str, text: str, options: Callable[[Arguments], None]) -> None:
        super().__init__(
            prog=f"admit {name}",
            description=text,
            formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, max_help_position=32, width=120),
            allow_abbrev=False,
        )
        options(self)


def with_engine(config: Path | None, work: Callable[[Settings | None, PolicyEngine], Awaitable[Result]]) -> Result:
    """What the work comes to, with an engine for it: OPA is launched first, since it takes as long to load as all the rest.

    Raises what the configuration, the engine and the work raise.
    """
    from gateway import wiring

    settings = settings_if_any(config)
    first = wiring.launched_worker() if settings is None else None

    async def whole() -> Result:
        engine = wiring.build_engine(settings.engine if settings else None, first=first)
        try:
            await engine.start()
            return await work(settings, engine)
        finally:
            await engine.close()

    if settings is None:
        from policies import loop

        return loop.run(whole())
    import asyncio

    return asyncio.run(whole())
