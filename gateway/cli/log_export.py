"""`admit log export`: the sealed record as JSON lines."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.edge import ConfigFile, plain_errors, settings_from
from gateway.cli.replay import OutcomeName, moment

if TYPE_CHECKING:
    from gateway.operations.export_record import ExportFilter


def register(log: typer.Typer) -> None:
    log.command()(export)


def export(
    kind: Annotated[str | None, typer.Option(help="Only decision, or only audit.", show_default=False)] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="At or after this time.", show_default=False)] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Before this time.", show_default=False)] = None,
    outcome: Annotated[OutcomeName | None, typer.Option(help="Decisions of this outcome.", show_default=False)] = None,
    connection: Annotated[str | None, typer.Option(help="Decisions of this connection.", show_default=False)] = None,
    repository: Annotated[str | None, typer.Option(metavar="OWNER/NAME", help="Decisions about it.", show_default=False)] = None,
    after: Annotated[int, typer.Option(min=0, help="Only entries after this position: where the last export ended.")] = 0,
    with_input: Annotated[bool, typer.Option("--input", help="Decisions with the facts they judged.")] = False,
    config: ConfigFile = None,
) -> None:
    """Print decisions and audit events, one JSON document a line, in the order of the record, each with its seal.

    Example: `admit log export --since 2026-01-01T00:00:00Z > record.jsonl`
    """
    with plain_errors():
        from gateway.domain.chain import EntryKind
        from gateway.operations.export_record import ExportFilter
        from policies import Outcome

        if kind is not None and kind not in list(EntryKind):
            raise typer.BadParameter(f"expected decision or audit, found '{kind}'", param_hint="--kind")
        wanted = ExportFilter(
            kind=EntryKind(kind) if kind else None,
            connection=connection,
            repository=repository,
            outcome=Outcome(outcome.value) if outcome else None,
            since=moment(since, "--since"),
            until=moment(until, "--until"),
            after=after,
        )
        asyncio.run(_export(config, wanted, with_input))


async def _export(config: Path | None, wanted: ExportFilter, with_input: bool) -> None:
    from gateway import wiring
    from gateway.operations.export_record import ExportRecord

    database = wiring.existing_database(settings_from(config))
    try:
        storage = wiring.build_storage(database)
        await storage.ready()
        export = ExportRecord(storage=storage, sealed_record=wiring.build_sealed_record(database))
        async for line in export(wanted, with_input=with_input):
            sys.stdout.write(line)
    finally:
        await database.close()
