"""`admit log`: the sealed record."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli import log_export
from gateway.cli.edge import ConfigFile, plain_errors, settings_from

if TYPE_CHECKING:
    from gateway.domain.checkpoint import Checkpoint
    from gateway.storage import SealedRecord

log = typer.Typer(no_args_is_help=True, help="The sealed record.")

AsJson = Annotated[bool, typer.Option("--json", help="For machines.")]


def register(app: typer.Typer) -> None:
    """Add the sub-application."""
    log_export.register(log)
    app.add_typer(log, name="log")


@log.command()
def verify(
    public_key: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="Only checkpoints of this key count: hex, or a file with PEM or hex.", show_default=False),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="A file with checkpoints kept elsewhere (`admit log checkpoint`), one a line.", show_default=False),
    ] = None,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Check every seal, what it is of, and every signed checkpoint. Exit code: 0 whole, 1 something was changed, with its name.

    Whoever could write the database could have made a new chain and signed it with a key of his own: give the key, or
    checkpoints kept elsewhere, to rule that out.

    Example: `admit log verify`

    Example: `admit log verify --public-key checkpoint.pub --checkpoint kept.jsonl`
    """
    with plain_errors():
        key, kept = _public_key(public_key), _kept(checkpoint)

        async def look(record: SealedRecord) -> Any:
            from gateway.operations.verify_record import verified

            return await verified(record, public_key=key, kept=kept)

        found = _with_record(config, look)
    if as_json:
        flaws = [{"kind": f.kind.value, "message": f.message, "position": f.position, "entry": f.entry} for f in found.flaws]
        signed = None if found.signed is None else found.signed.head.position
        head = {"position": found.head.position, "hash": found.head.hash}
        typer.echo(json.dumps({"head": head, "signed_up_to": signed, "keys": found.keys, "flaws": flaws}, indent=2))
    else:
        for flaw in found.flaws:
            typer.echo(f"{flaw.kind.value}: {flaw.message}")
        signed = "none is signed" if found.signed is None else f"signed up to {found.signed.head.position} by {', '.join(found.keys)}"
        typer.echo(f"{found.head.position} entries are sealed, head {found.head.hash}; {signed}")
        if not found.flaws:
            typer.echo("the record is whole")
    raise typer.Exit(1 if found.flaws else 0)


@log.command()
def checkpoint(config: ConfigFile = None) -> None:
    """Print the newest signed checkpoint, one JSON line: keep it where the database is not.

    Example: `admit log checkpoint >> kept.jsonl`
    """
    from gateway.domain.checkpoint import checkpoint_document
    from gateway.errors import UnknownThing

    async def newest(record: SealedRecord) -> Any:
        from gateway.operations.verify_record import newest_checkpoint

        return await newest_checkpoint(record)

    with plain_errors():
        found = _with_record(config, newest)
        if found is None:
            raise UnknownThing("no checkpoint has been signed yet", advice="the running gateway signs one whenever something was recorded")
    typer.echo(json.dumps(checkpoint_document(found), separators=(",", ":")))


@log.command()
def erase(
    actor: Annotated[str, typer.Argument(help="The account, by its immutable id: user:CONNECTION/ID.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: ConfigFile = None,
) -> None:
    """Erase a person's data: all facts and deliveries that name this account. It cannot be undone.

    Digests stay, so the chain stays whole. Decisions that rested on such facts stay too, with their reasons; they can not be
    replayed any more, and say why.

    Example: `admit log erase user:work/42`
    """
    if not yes:
        typer.confirm(f"Erase every fact and delivery that names {actor}, for good?", abort=True)

    async def run() -> int:
        from gateway import wiring
        from gateway.domain.clock import utc_now
        from gateway.operations.erase import ErasePerson

        storage = wiring.build_storage(wiring.existing_database(settings_from(config, tell=True)))
        try:
            await storage.ready()
            return await ErasePerson(storage=storage, clock=utc_now)(actor, by="the command line")
        finally:
            await storage.close()

    with plain_errors():
        erased = asyncio.run(run())
    typer.echo(f"{erased} {'piece' if erased == 1 else 'pieces'} erased")


def _with_record(config: Path | None, work: Callable[[SealedRecord], Awaitable[Any]]) -> Any:
    """Do it on the configured database."""

    async def run() -> Any:
        from gateway import wiring

        database = wiring.existing_database(settings_from(config, tell=True))
        try:
            await wiring.build_storage(database).ready()
            return await work(wiring.build_sealed_record(database))
        finally:
            await database.close()

    return asyncio.run(run())


def _public_key(text: str | None) -> str | None:
    from gateway.domain.checkpoint import read_public_key

    if text is None:
        return None
    try:
        return read_public_key(Path(text).read_text() if Path(text).is_file() else text)
    except (ValueError, OSError) as problem:
        raise typer.BadParameter(f"{problem}, found {text!r}", param_hint="--public-key") from problem


def _kept(file: Path | None) -> list[Checkpoint]:
    from gateway.domain.checkpoint import checkpoint_from_document

    if file is None:
        return []
    try:
        return [checkpoint_from_document(json.loads(line)) for line in file.read_text().splitlines() if line.strip()]
    except (ValueError, OSError) as problem:
        raise typer.BadParameter(f"{file}: {problem}", param_hint="--checkpoint") from problem
