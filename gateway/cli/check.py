"""`admit check`: a dry run of policies on documents, or on a real change, with nothing recorded and nothing reported."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.edge import ConfigFile, configure_logs, plain_errors, settings_from

if TYPE_CHECKING:
    from gateway.cli.outputs import Checked
    from gateway.config import Settings


class Output(StrEnum):
    """For whom the answer is written."""

    TEXT = "text"
    JSON = "json"
    JUNIT = "junit"
    SARIF = "sarif"
    GITHUB = "github"


def register(app: typer.Typer) -> None:
    app.command()(check)


def check(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(metavar="INPUT…", help="Input documents (JSON or YAML); - reads one from standard input.", show_default=False),
    ] = None,
    change: Annotated[
        list[str] | None, typer.Option(help="The URL of a real change, read through its connection in admit.yaml.", show_default=False)
    ] = None,
    policies: Annotated[
        list[Path] | None, typer.Option(metavar="DIR", help="Bundles to judge by; by default those of admit.yaml.", show_default=False)
    ] = None,
    relations: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Relationships as an OpenFGA store file.", show_default=False)
    ] = None,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="Judge as if it were this time (RFC 3339).", show_default=False)] = None,
    output: Annotated[Output, typer.Option(help="How to write the answer.")] = Output.TEXT,
    config: ConfigFile = None,
) -> None:
    """Dry run: judge input documents, or a real change, offline. Nothing is recorded or reported.

    Exit code: 0 all admitted, 1 one is denied or held, 2 one is undecided or cannot be evaluated.

    Example: `admit check change.json --policies bundles/acme`

    Example: `admit check --change https://git.example.com/acme/app/pulls/7 --output json`
    """
    configure_logs(quiet=True)
    with plain_errors():
        if not inputs and not change:
            raise typer.BadParameter("name an input document, - or --change URL")
        moment = _moment(at)
        settings = settings_from(config)
        if relations is not None:
            from gateway.config import RelationsFile

            settings = settings.model_copy(update={"relations": RelationsFile(file=relations)})
        if policies:
            settings = settings.model_copy(update={"bundles": tuple(policies)})
        checked = asyncio.run(_check(settings, inputs or [], change or [], moment))

        from gateway.cli.outputs import exit_code, render

        sys.stdout.write(render(output.value, checked))
        raise typer.Exit(exit_code(checked))


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise typer.BadParameter(f"expected a time such as 2026-01-31T12:00:00Z, found {text!r}", param_hint="--at")
    return moment


async def _check(settings: Settings, inputs: Sequence[str], urls: Sequence[str], at: datetime | None) -> list[Checked]:
    from gateway.cli.dry_run import dry_run

    async with dry_run(settings, at=at) as run:
        return [*await asyncio.gather(*(run.document(source) for source in inputs)), *[await run.change(url) for url in urls]]
