"""`admit migrate`: database migrations."""

from __future__ import annotations

import typer

from gateway.cli.edge import ConfigFile, plain_errors, settings_from


def register(app: typer.Typer) -> None:
    app.command()(migrate)


def migrate(config: ConfigFile = None) -> None:
    """Bring the database to this version's schema. Running it again changes nothing.

    Example: `ADMIT_DATABASE=postgresql://admit@localhost/admit admit migrate`
    """
    import asyncio

    with plain_errors():
        settings = settings_from(config, tell=True)
        before = asyncio.run(_migrate(settings.database))
        typer.echo("the database is up to date" if before == "current" else f"the database was {before}, and is up to date now")


async def _migrate(url: str) -> str:
    import asyncio

    from gateway.storage import Database
    from gateway.storage.migrations import migrate as run

    database = Database(url)
    try:
        return (await asyncio.to_thread(run, database)).value
    finally:
        await database.close()
