"""`admit log`: the sealed record."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any

import typer

from gateway.cli.edge import ConfigFile, plain_errors, settings_from

log = typer.Typer(no_args_is_help=True, help="The sealed record.")


def register(app: typer.Typer) -> None:
    """Add the sub-application."""
    app.add_typer(log, name="log")


@log.command()
def verify(
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    config: ConfigFile = None,
) -> None:
    """Check every seal, and what it is of, against the chain. Exit code: 0 whole, 1 something was changed, with its name.

    Example: `admit log verify`
    """
    with plain_errors():
        head, flaws = asyncio.run(_verify(settings_from(config, tell=True)))
    if as_json:
        flawed = [{"kind": f.kind.value, "message": f.message, "position": f.position, "entry": f.entry} for f in flaws]
        typer.echo(json.dumps({"head": {"position": head.position, "hash": head.hash}, "flaws": flawed}, indent=2))
    else:
        for flaw in flaws:
            typer.echo(f"{flaw.kind.value}: {flaw.message}")
        typer.echo(f"{head.position} entries are sealed, head {head.hash}" + ("" if flaws else "; the record is whole"))
    raise typer.Exit(1 if flaws else 0)


async def _verify(settings: Any) -> tuple[Any, list[Any]]:
    from gateway import wiring

    database = wiring.existing_database(settings)
    try:
        await wiring.build_storage(database).ready()
        record = wiring.build_sealed_record(database)
        return await record.head(), [flaw async for flaw in record.flaws()]
    finally:
        await database.close()
