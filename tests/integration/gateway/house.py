"""A whole gateway in this process: real engine, real database, real durable core, a forge in memory."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from gateway.config import Connection, RelationsFile, Settings
from gateway.config_engine import Engine
from gateway.domain.clock import Clock, utc_now
from gateway.domain.record import Decision
from gateway.durable import UnknownWorkflow
from gateway.running import Gateway, running_gateway
from gateway.storage import DecisionFilter
from providers.targets import Target
from providers.vcs import ChangeKey
from providers.vcs.memory import MemoryForge
from tests.e2e.process import PATIENCE, write_bundle

TOKEN = "a token of the tests, long enough to be one"
SECRET = "a webhook secret of the tests"
REPOSITORY = "acme/shop"

NOBODY_OBJECTS = 'package merge.label\n\ndeny contains "no label" if count(input.change.labels) == 0\n'


def a_bundle_folder(folder: Path, rego: str = NOBODY_OBJECTS, *, package: str = "merge.label", more: str = "") -> Path:
    """A bundle named acme with one policy."""
    manifest = f"name: acme\npolicies:\n  - package: {package}\n    match: {{action: merge}}\n{more}"
    return write_bundle(folder / "acme", {"bundle.yaml": manifest, "policy.rego": rego})


class House:
    """The running gateway, its forge, and a client that has the token."""

    def __init__(self, gateway: Gateway, forge: MemoryForge, client: httpx.AsyncClient) -> None:
        self.gateway, self.forge, self.client = gateway, forge, client

    async def deliver(self) -> list[httpx.Response]:
        """Post what the forge has to say."""
        return [await self.client.post("/webhooks/work", content=d.body, headers=d.headers) for d in self.forge.outbox()]

    async def decisions(self, key: ChangeKey | None = None) -> tuple[Decision, ...]:
        """Newest first."""
        wanted = DecisionFilter(repository=key.repository if key else None, number=key.number if key else None)
        return (await self.gateway.services.storage.decisions(wanted, limit=200)).decisions

    async def decided(self, key: ChangeKey, is_it: Callable[[Decision], bool]) -> Decision:
        """The newest decision on the change, once it is as awaited."""
        async with asyncio.timeout(PATIENCE):
            while not ((found := await self.decisions(key)) and is_it(found[0])):
                await asyncio.sleep(0.02)
        return found[0]

    async def status(self, sha: str, context: str = "admit/main") -> str | None:
        """What the forge shows."""
        found = await self.forge.reported(REPOSITORY, sha, context)
        return found.status.state.value if found else None

    async def turned(self, sha: str, state: str, context: str = "admit/main") -> None:
        """Until the forge shows that state."""
        async with asyncio.timeout(PATIENCE):
            while await self.status(sha, context) != state:
                await asyncio.sleep(0.02)


def of_a_file(folder: Path) -> RelationsFile:
    """Relationships nothing synchronises, for tests that count every entry of the record."""
    file = folder / "nobody.fga.yaml"
    file.write_text("name: nobody\nmodel: |\n  model\n    schema 1.1\n  type user\ntuples: []\n")
    return RelationsFile(file=file)


def database_of(folder: Path) -> str:
    """Where the house in this folder keeps everything. Tests on other databases put another function here."""
    return f"sqlite:///{folder}/admit.db"


_PATIENT = {"evaluation_deadline": 60.0, "compile_deadline": PATIENCE, "own_compile_deadline": PATIENCE, "patience": PATIENCE}


@asynccontextmanager
async def a_house(
    folder: Path,
    *,
    bundle: Path | None = None,
    forge: MemoryForge | None = None,
    engine: Mapping[str, Any] | None = None,
    targets: Mapping[str, Target] | None = None,
    clock: Clock = utc_now,
    **settings: Any,
) -> AsyncIterator[House]:
    """One that judges by `bundle` (by default: a change needs a label).

    What happens in it is what a test makes happen: unless it says so, nothing is looked for between webhooks, and no
    evaluation is given up because the machine is busy.
    """
    if forge is None:
        forge = MemoryForge(connection="work", webhook_secrets=(SECRET,))
        forge.create_repository(REPOSITORY)
        forge.outbox()
    chosen = Settings(
        **{
            "database": database_of(folder),
            "bundles": (bundle or a_bundle_folder(folder),),
            "connections": (Connection(name="work", forge="memory"),),
            "engine": Engine(**{**_PATIENT, **(engine or {})}),
            "reconcile_seconds": 3600.0,
            "api_tokens": (SecretStr(TOKEN),),
            **settings,
        }
    )
    async with running_gateway(chosen, forges={"work": forge}, targets=targets, clock=clock) as gateway:
        transport = httpx.ASGITransport(gateway.app, raise_app_exceptions=False)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080", headers=headers, timeout=240) as client:
            await _looked_once(gateway)
            yield House(gateway, forge, client)


async def _looked_once(gateway: Gateway) -> None:
    """Until the look at everything that a start begins with is over: what a test does then is told by webhooks alone."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with contextlib.suppress(UnknownWorkflow):
                events = await gateway.core.history("reconcile:work")
                if any(event.kind == "SignalAwaited" and event.attributes["names"] == ["started"] for event in events):
                    return
            await asyncio.sleep(0.02)
