"""`admit serve`: the gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.edge import ConfigFile, configure_logs, plain_errors, settings_from

if TYPE_CHECKING:
    from fastapi import FastAPI

    from gateway.config import Settings


def register(app: typer.Typer) -> None:
    app.command()(serve)


def serve(
    config: ConfigFile = None,
    port: Annotated[int | None, typer.Option(help="Listen on this port, whatever the configuration says.")] = None,
) -> None:
    """Run the gateway: webhooks, API and pages.

    Example: `admit serve --config admit.yaml`
    """
    import asyncio

    configure_logs()
    with plain_errors():
        settings = settings_from(config)
        if port is not None:
            settings = settings.model_copy(update={"listen": f"{settings.address[0]}:{port}"})
        settings.require_safe_address()
        asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    from gateway.running import running_gateway

    async with running_gateway(settings) as gateway:
        if gateway.first_token:
            typer.echo("No token was configured, so one has been made. It is shown this once:")
            typer.echo(gateway.first_token)
        host, port = settings.address
        typer.echo(f"admit is listening on http://{host}:{port} (pages: {settings.public_url}/)")
        await listen(gateway.app, host, port)


async def listen(app: FastAPI, host: str, port: int) -> None:
    """Serve until told to stop; requests under way are answered."""
    import uvicorn

    config = uvicorn.Config(app, host=host, port=port, log_config=None, access_log=False, timeout_graceful_shutdown=10, lifespan="off")
    await uvicorn.Server(config).serve()
