"""`admit override`: break-glass, through a running gateway, which knows by its token who does it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated
from urllib.parse import quote

import typer

from gateway.cli.edge import ConfigFile, plain_errors, settings_from
from gateway.cli.remote import Url


def register(app: typer.Typer) -> None:
    app.command()(override)


def override(
    connection: Annotated[str, typer.Argument(help="The connection, as admit.yaml names it.")],
    repository: Annotated[str, typer.Argument(metavar="OWNER/NAME")],
    number: Annotated[int, typer.Argument(help="The change's number.")],
    reason: Annotated[str | None, typer.Option(help="Why: it stands on the change's page and in the audit.", show_default=False)] = None,
    within: Annotated[str, typer.Option("--for", metavar="SPAN", help="How long: 30m, 2h or 1d, at most 7d.")] = "1h",
    end: Annotated[bool, typer.Option("--end", help="End the one in force.")] = False,
    url: Url = None,
    config: ConfigFile = None,
) -> None:
    """Let a change through in spite of its verdict, for a while. The verdict stays; who, why and until when are shown beside it.

    ADMIT_TOKEN says who does it. A push to the change ends it.

    Example: `admit override work acme/app 7 --reason "the fix of the outage" --for 2h`
    """
    if end is (reason is not None):
        raise typer.BadParameter("say why with --reason, or end the one in force with --end")
    span = re.fullmatch(r"(\d{1,4})([mhd])", within)
    if span is None:
        raise typer.BadParameter(f"expected 30m, 2h or 1d, found {within!r}", param_hint="--for")
    with plain_errors():
        from gateway.cli.remote import ask

        base = url or settings_from(config).public_url
        path = f"/v1/changes/{quote(connection, safe='')}/{quote(repository)}/{number}/override"
        if end:
            ask("DELETE", base, path)
            typer.echo(f"{repository}#{number}: no longer overridden")
            return
        until = datetime.now(UTC) + int(span[1]) * {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}[span[2]]
        known = ask("POST", base, path, json={"reason": reason, "until": until.isoformat()})
        typer.echo(f"{repository}#{number} is {known['outcome']}, and overridden until {until:%Y-%m-%d %H:%M} UTC")
