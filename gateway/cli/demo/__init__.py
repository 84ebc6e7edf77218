"""`admit demo`: the gateway with a forge in memory and sample changes, nothing else needed."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.edge import configure_logs, plain_errors


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    once: Annotated[bool, typer.Option("--once", help="Run the samples, print the decisions, stop.")] = False,
    port: Annotated[int, typer.Option(help="Where to listen; another free port is taken if this one is in use.")] = 8080,
) -> None:
    """Watch the gateway judge: a forge in memory, real webhooks over HTTP, real policies, real decisions.

    Example: `admit demo --once`
    """
    import asyncio
    import contextlib

    from gateway.cli.demo.play import play

    configure_logs(quiet=True)
    with plain_errors(), contextlib.suppress(asyncio.CancelledError):
        asyncio.run(play(once=once, port=port))
