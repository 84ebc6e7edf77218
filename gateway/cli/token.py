"""`admit token`: who may use the gateway's API and pages, and for what."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.edge import ConfigFile, plain_errors, settings_from

if TYPE_CHECKING:
    from gateway.operations.access import Tokens

token = typer.Typer(no_args_is_help=True, help="Who may use the API and the pages, and for what.")

AsJson = Annotated[bool, typer.Option("--json", help="For machines.")]
Name = Annotated[str, typer.Argument(help="What it is called in the audit and in lists.")]

_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_BY = "the command line"


def register(app: typer.Typer) -> None:
    """Add the sub-application."""
    app.add_typer(token, name="token")


@token.command()
def create(
    name: Name,
    scope: Annotated[
        list[str], typer.Option(help="admin, author, operator, reader or submitter; several by saying it again.", show_default=False)
    ],
    actor: Annotated[
        str | None, typer.Option(metavar="REF", help="Who holds it: user:CONNECTION/ID or person:NAME.", show_default=False)
    ] = None,
    expires: Annotated[
        str | None, typer.Option(metavar="WHEN", help="In 90d, 12h or 30m, or at 2030-01-31T12:00:00Z.", show_default=False)
    ] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Make a token. It is shown this once; the gateway keeps only its hash.

    reader: decisions, facts, changes, workflows, pages. submitter: ask for admissions, submit workflows. author: bundles.
    operator: steer workflows and changes. admin: everything, tokens and the audit too.

    Example: `admit token create ci --scope submitter --expires 90d`

    Example: `admit token create ana --scope operator --actor person:ana`
    """
    end = _moment(expires) if expires is not None else None

    async def made(tokens: Tokens) -> Any:
        return await tokens.create(name, scope, by=_BY, actor=actor, expires_at=end)

    known, text = _with_tokens(config, made)
    if as_json:
        typer.echo(json.dumps({"name": known.name, "scopes": list(known.scopes), "token": text}))
        return
    typer.echo("It is shown this once:", err=True)
    typer.echo(text)


@token.command("list")
def list_tokens(as_json: AsJson = False, config: ConfigFile = None) -> None:
    """Every token: for what, for whom, until when. Revoked and expired ones too.

    Example: `admit token list`
    """
    found = _with_tokens(config, lambda tokens: tokens.all())
    now = datetime.now(UTC)
    if as_json:
        typer.echo(json.dumps([_line(known, now) for known in found], indent=2))
        return
    for known in found:
        state = "valid" if known.valid(now) else "revoked" if known.revoked_at else "expired"
        until = f"until {known.expires_at:%Y-%m-%d %H:%M} UTC" if known.expires_at else "for good"
        typer.echo(f"{state:<8} {known.name:<24} {','.join(known.scopes):<20} {until}" + (f"  {known.actor}" if known.actor else ""))


@token.command()
def revoke(name: Name, config: ConfigFile = None) -> None:
    """Refuse it from now on. Its name is never given again: the audit tells tokens apart by it.

    Example: `admit token revoke ci`
    """
    _with_tokens(config, lambda tokens: tokens.revoke(name, by=_BY))
    typer.echo(f"{name}: revoked")


def _line(known: Any, now: datetime) -> dict[str, Any]:
    return {
        "name": known.name,
        "scopes": list(known.scopes),
        "actor": known.actor,
        "created_at": known.created_at.isoformat(),
        "expires_at": known.expires_at.isoformat() if known.expires_at else None,
        "revoked_at": known.revoked_at.isoformat() if known.revoked_at else None,
        "valid": known.valid(now),
    }


def _moment(text: str) -> datetime:
    span = re.fullmatch(r"(\d{1,6})([mhd])", text)
    if span is not None:
        return datetime.now(UTC) + int(span[1]) * _UNITS[span[2]]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise typer.BadParameter(f"expected 90d, 12h, 30m or a time such as 2030-01-31T12:00:00Z, found {text!r}", param_hint="--expires")
    return moment


def _with_tokens(config: Path | None, work: Callable[[Tokens], Awaitable[Any]]) -> Any:
    """Do it on the configured database."""

    async def run() -> Any:
        from gateway import wiring
        from gateway.domain.clock import utc_now
        from gateway.operations.access import Tokens

        settings = settings_from(config, tell=True)
        storage = wiring.build_storage(wiring.existing_database(settings))
        try:
            await storage.ready()
            return await work(Tokens(storage=storage, clock=utc_now))
        finally:
            await storage.close()

    with plain_errors():
        return asyncio.run(run())
