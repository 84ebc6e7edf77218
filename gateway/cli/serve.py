"""`admit serve`: the gateway."""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.edge import ConfigFile, configure_logs, plain_errors, settings_from
from gateway.cli.heap import share_one_heap
from providers.errors import ProviderError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from gateway.config import Settings
    from providers.vcs import Forge


_TURN = 0.0005
"""Seconds a thread may keep the interpreter while another waits for it; Python's 0.005 is longer than most commits, and the
thread that writes would wait for it after each of its statements."""


_LOADING = 50_000
"""Allocations between two looks for garbage until the gateway is up: next to all that is made meanwhile stays."""


_YOUNG = (10_000, 10, 10)
"""Allocations between two looks for garbage. Python's 700 is a look for every other request, most of whose objects still live."""


_QUIET = 75
"""Seconds a connection stays open without a request: longer than the minute that load balancers keep theirs, which would send
one into a connection just closed (https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html)."""


def register(app: typer.Typer) -> None:
    app.command()(serve)


def serve(
    config: ConfigFile = None,
    port: Annotated[int | None, typer.Option(help="Listen on this port, whatever the configuration says.")] = None,
) -> None:
    """Run the gateway: webhooks, API and pages.

    Example: `admit serve --config admit.yaml`
    """
    configure_logs()
    share_one_heap()
    gc.set_threshold(_LOADING)
    sys.setswitchinterval(_TURN)
    with plain_errors():
        settings = settings_from(config, tell=True)
        if port is not None:
            settings = settings.model_copy(update={"listen": f"{settings.address[0]}:{port}"})
        settings.require_safe_address()
        with bound(*settings.address) as listening, asyncio.Runner(loop_factory=_loop) as runner:
            runner.run(_serve(settings, listening))
        typer.echo("admit has stopped")


def _loop() -> asyncio.AbstractEventLoop:
    """libuv's event loop where it can be had: half of what an answer costs is spent in the loop."""
    try:
        import uvloop
    except ImportError:  # not made for this platform
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


@contextmanager
def bound(host: str, port: int) -> Iterator[socket.socket]:
    """The address, taken before anything else is done. Raises ConfigurationWrong where somebody has it."""
    from gateway.errors import ConfigurationWrong

    try:
        kind, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # named, or asyncio would not know it for TCP and leave Nagle's algorithm on: 40 ms an answer
        with socket.socket(kind, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            yield listening
    except OSError as problem:
        advice = "end what listens there, or choose another with --port or listen:"
        raise ConfigurationWrong(f"cannot listen on {host}:{port}: {problem.strerror}", advice=advice) from problem


async def _serve(settings: Settings, listening: socket.socket) -> None:
    from gateway.running import running_gateway

    async with running_gateway(settings) as gateway:
        if gateway.first_token:
            # lines of their own among the log's, wherever both end up
            typer.echo("\nNo token was configured, so one has been made. It is shown this once:\n")
            typer.echo(f"{gateway.first_token}\n")
        host, port = settings.address
        _spare_the_collector()
        typer.echo(f"admit is listening on http://{host}:{port} (pages: {settings.public_url}/)")
        await asyncio.gather(listen(gateway.app, listening), _greet(gateway.forges))


def _spare_the_collector() -> None:
    """What has been loaded lives as long as the gateway: the garbage collector need not walk through it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_YOUNG)


async def _greet(forges: Mapping[str, Forge]) -> None:
    """Say at once which connection cannot be used; it is asked again whenever there is work."""
    for name, forge in forges.items():
        try:
            typer.echo(f"connection {name}: {await forge.probe()}")
        except ProviderError as problem:
            typer.echo(f"connection {name} CANNOT BE USED: {problem}", err=True)
            if problem.advice:
                typer.echo(f"  → {problem.advice}", err=True)


async def listen(app: FastAPI, listening: socket.socket) -> None:
    """Serve until told to stop; requests under way are answered."""
    import uvicorn

    from gateway.cli.server import Server

    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_keep_alive=_QUIET, timeout_graceful_shutdown=10)
    await Server(config).serve(sockets=[listening])
