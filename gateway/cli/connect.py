"""`admit connect`: make a forge send its events and require the status; or only say what is amiss."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.edge import CANNOT, ConfigFile, plain_errors, settings_from

if TYPE_CHECKING:
    from gateway.config import Connection, Settings
    from providers.vcs import Finding, Forge, ForgeSetup


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(connect)


def connect(
    name: Annotated[str, typer.Argument(help="A connection of admit.yaml.")],
    repositories: Annotated[
        list[str] | None,
        typer.Argument(metavar="REPOSITORY…", help="owner/name; by default all the connection watches.", show_default=False),
    ] = None,
    require: Annotated[
        list[str] | None,
        typer.Option(metavar="BRANCH", help="Make the status a condition of merging into this branch.", show_default=False),
    ] = None,
    only_gateway_merges: Annotated[bool, typer.Option(help="With --require: nobody but the gateway's account may merge.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; only say what is amiss.")] = False,
    config: ConfigFile = None,
) -> None:
    """Create the webhook and make the status required on the forge, then look for ways round the gate.

    Running it again changes nothing that is right already. It uses the connection's `setup_token` (an administrator's), or
    else its `token`. Exit code: 0 nothing is amiss, 1 something is (each with what closes it), 2 could not look.

    Example: `admit connect work acme/app --require main`

    Example: `admit connect work --require main --check`
    """
    with plain_errors():
        settings = settings_from(config, tell=True)
        connection = _connection(settings, name)
        found = asyncio.run(_connect(settings, connection, repositories or [], require or [], only_gateway_merges, check))
    for repository, findings in found.items():
        for finding in findings:
            typer.echo(f"{repository}: {finding.gap.value}: {finding.message}")
            typer.echo(f"  → {finding.advice}")
    amiss = any(found.values())
    typer.echo("" if amiss else f"nothing is amiss in {len(found)} {'repository' if len(found) == 1 else 'repositories'}", nl=not amiss)
    raise typer.Exit(1 if amiss else 0)


def _connection(settings: Settings, name: str) -> Connection:
    from gateway.errors import UnknownThing

    for connection in settings.connections:
        if connection.name == name:
            if not connection.webhook_secrets:
                typer.echo(f"admit: connection '{name}' has no webhook secret; here is a fresh one:", err=True)
                typer.echo(f"  {secrets.token_hex(32)}", err=True)
                typer.echo("  → keep it where env:NAME or file:PATH under webhook_secrets finds it, and run this again", err=True)
                raise typer.Exit(CANNOT)
            return connection
    known = ", ".join(connection.name for connection in settings.connections) or "none"
    raise UnknownThing(f"no connection is named '{name}'; there are: {known}")


async def _connect(
    settings: Settings, connection: Connection, repositories: Sequence[str], branches: Sequence[str], alone: bool, check: bool
) -> dict[str, list[Finding]]:
    from gateway import wiring
    from gateway.errors import UnknownThing

    forge = wiring.build_forge(connection)
    try:
        setup = wiring.build_forge_setup(connection, await forge.own_login(), settings.public_url)
        names = list(repositories) or [repository.name for repository in await forge.repositories(connection.repositories)]
        if not names:
            raise UnknownThing(f"connection '{connection.name}' sees no repository that fits {', '.join(connection.repositories)}")
        found: dict[str, list[Finding]] = {}
        for name in names:
            if not check:
                await _set_up(settings, connection, setup, name, branches, alone)
            found[name] = [*await _lacking(forge, name), *await _amiss(settings, connection, setup, name, branches)]
        await setup.close()
        return found
    finally:
        await forge.close()


async def _set_up(
    settings: Settings, connection: Connection, setup: ForgeSetup, repository: str, branches: Sequence[str], alone: bool
) -> None:
    from gateway.domain.report import context_for

    url = _hook_url(settings, connection)
    applied = await setup.register_webhook(repository, url, connection.webhook_secrets[0].get_secret_value())
    typer.echo(f"{repository}: webhook to {url} {applied.value}")
    for branch in branches:
        applied = await setup.require(repository, branch, context_for(branch), only_gateway_merges=alone)
        typer.echo(f"{repository}: required status {context_for(branch)} on {branch} {applied.value}")


async def _lacking(forge: Forge, repository: str) -> list[Finding]:
    """What the gateway's own account, which is not the one that sets up, cannot do there."""
    from providers.vcs import Finding, Gap

    advice = "give it what is lacking; `admit doctor` looks again"
    return [Finding(gap=Gap.RIGHTS_MISSING, message=right, advice=advice) for right in await forge.missing_rights(repository)]


async def _amiss(settings: Settings, connection: Connection, setup: ForgeSetup, repository: str, branches: Sequence[str]) -> list[Finding]:
    from gateway.domain.report import context_for

    found = list(await setup.audit_webhook(repository, _hook_url(settings, connection)))
    for branch in branches:
        found += await setup.audit(repository, branch, context_for(branch))
    return found


def _hook_url(settings: Settings, connection: Connection) -> str:
    return f"{settings.public_url}/webhooks/{connection.name}"
