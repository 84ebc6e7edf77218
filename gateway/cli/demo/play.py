"""Plays the samples against a whole gateway: deliveries are posted over HTTP, as a forge would."""

from __future__ import annotations

import asyncio
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import httpx
import typer
import uvicorn

import policies
from gateway.cli.demo.deployments import SETTINGS, play_deployments
from gateway.cli.demo.samples import SCENES, Scene, stage
from gateway.cli.outputs import Checked, render
from gateway.cli.server import Server
from gateway.config import Connection, Settings
from gateway.domain.clock import utc_now
from gateway.domain.record import Decision
from gateway.domain.report import decision_url
from gateway.running import Gateway, running_gateway
from gateway.storage import DecisionFilter
from providers.vcs import ChangeKey
from providers.vcs.memory import MemoryForge

_CONNECTION = "demo"
_STARTERS = Path(policies.__file__).parent / "starters"
_BUNDLES = (Path(__file__).parent / "bundle", _STARTERS / "approvals", _STARTERS / "required-labels")
_PATIENCE = 30.0
"""Seconds a sample may take to be judged."""


async def play(*, once: bool, port: int) -> None:
    """Every scene in turn; then, unless `once`, serve the pages. Told to stop, it is cancelled."""
    forge = MemoryForge(connection=_CONNECTION, webhook_secrets=("demo",), url="http://forge.invalid")
    stage(forge)
    with tempfile.TemporaryDirectory(prefix="admit-demo-") as folder:
        async with _served(forge, Path(folder), _free(port)) as (gateway, url):
            _, bundles = await gateway.services.in_force()
            typer.echo(f"The gateway runs at {url}, and judges by the bundles {', '.join(bundle.name for bundle in bundles)}.\n")
            for number, scene in enumerate(SCENES, start=1):
                await _play(number, scene, forge, gateway, url)
            await play_deployments(gateway, url, number=len(SCENES) + 1)
            if not once:
                typer.echo(f"Look at it: {url}/   (stop with Ctrl-C)")
                await asyncio.Event().wait()


async def _play(number: int, scene: Scene, forge: MemoryForge, gateway: Gateway, url: str) -> None:
    typer.echo(f"{number}. {scene.told[0].upper()}{scene.told[1:]}.")
    started = utc_now()
    key = scene.play(forge)
    await _deliver(forge, url)
    decision = await _first_decision(key, gateway, since=started)
    scene.end(forge)
    typer.echo(render("text", [Checked(source=f"change {key.number}", result=decision)]), nl=False)
    typer.echo(f"  Page: {decision_url(url, decision.id)}\n")


async def _deliver(forge: MemoryForge, url: str) -> None:
    async with httpx.AsyncClient(timeout=10) as client:
        for delivery in forge.outbox():
            answer = await client.post(f"{url}/webhooks/{_CONNECTION}", content=delivery.body, headers=delivery.headers)
            answer.raise_for_status()


async def _first_decision(key: ChangeKey, gateway: Gateway, *, since: datetime) -> Decision:
    """What the change was first judged to be after `since`. Raises TimeoutError."""
    wanted = DecisionFilter(connection=_CONNECTION, repository=key.repository, number=key.number, since=since)
    async with asyncio.timeout(_PATIENCE):
        while not (page := await gateway.services.storage.decisions(wanted, limit=200)).decisions:
            await asyncio.sleep(0.02)
    return page.decisions[-1]


@asynccontextmanager
async def _served(forge: MemoryForge, folder: Path, port: int) -> AsyncIterator[tuple[Gateway, str]]:
    url = f"http://127.0.0.1:{port}"
    settings = Settings(
        database=f"sqlite:///{folder}/demo.db",
        public_url=url,
        bundles=_BUNDLES,
        connections=(Connection(name=_CONNECTION, forge="memory"),),
        **SETTINGS,
    )
    async with running_gateway(settings, forges={_CONNECTION: forge}, open_pages=True) as gateway:
        config = uvicorn.Config(gateway.app, host="127.0.0.1", port=port, log_config=None, access_log=False, lifespan="off")
        server, playing = Server(config), asyncio.current_task()

        def interrupt(_: object) -> None:
            if playing is not None:
                playing.cancel()

        serving = asyncio.create_task(server.serve())
        serving.add_done_callback(interrupt)
        try:
            while not server.started:
                await asyncio.sleep(0.01)
            yield gateway, url
        finally:
            serving.remove_done_callback(interrupt)
            server.should_exit = True
            await serving


def _free(port: int) -> int:
    """This port, or a free one if it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
