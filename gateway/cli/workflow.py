"""`admit workflow` and `admit dead-letters`: what the durable core does, seen and steered from the command line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.edge import ConfigFile, plain_errors, settings_from

if TYPE_CHECKING:
    from gateway.durable import DurableCore
    from gateway.storage import Storage

workflow = typer.Typer(no_args_is_help=True, help="See and steer workflow runs.")
dead_letters = typer.Typer(no_args_is_help=True, help="See and revive what was given up.")

Id = Annotated[str, typer.Argument(help="A workflow's id, as `admit workflow list` shows it.")]
RunId = Annotated[str | None, typer.Option("--run", help="One run of it; by default the newest.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="For machines.")]
Limit = Annotated[int, typer.Option(min=1, help="At most so many.")]
Kind = Annotated[str | None, typer.Option("--type", help="Only workflows of this type.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add both sub-applications."""
    app.add_typer(workflow, name="workflow")
    app.add_typer(dead_letters, name="dead-letters")


@workflow.command("list")
def list_runs(
    type: Kind = None,
    status: Annotated[str | None, typer.Option(help="ready, running, parked, completed, failed or cancelled.", show_default=False)] = None,
    all: Annotated[bool, typer.Option("--all", help="Housekeeping too: what comes round by itself all the time.")] = False,
    limit: Limit = 50,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Runs, newest first: how each stands, when it goes on, and what went wrong last.

    Example: `admit workflow list --status parked`
    """
    from gateway.durable import WorkflowStatus
    from gateway.durable.documents import run_document
    from gateway.workflows import HOUSEKEEPING

    if status is not None and status not in list(WorkflowStatus):
        raise typer.BadParameter(f"expected one of {', '.join(WorkflowStatus)}, found '{status}'", param_hint="--status")
    wanted = WorkflowStatus(status) if status else None
    hidden = () if all or type is not None else HOUSEKEEPING
    runs = _with_core(config, lambda core: core.list(type=type, status=wanted, without=hidden, limit=limit))
    if as_json:
        _print_json([run_document(run) for run in runs])
        return
    for run in runs:
        next_at = f"  next at {run.wake_at:%Y-%m-%d %H:%M:%S} UTC" if run.wake_at else ""
        last = f"  {run.error}" if run.error else ""
        typer.echo(f"{run.status.value:<9} {run.type:<16} {run.workflow_id}{next_at}{last}")


@workflow.command()
def show(id: Id, run: RunId = None, as_json: AsJson = False, config: ConfigFile = None) -> None:
    """A run and its whole history.

    Example: `admit workflow show change:work:acme/app:7`
    """
    from gateway.durable.documents import event_document, run_document

    async def look(core: DurableCore) -> Any:
        found = await core.describe(id, run)
        return found, await core.history(id, found.run_id)

    found, events = _with_core(config, look)
    if as_json:
        _print_json({**run_document(found), "events": [event_document(event) for event in events]})
        return
    typer.echo(f"{found.workflow_id}  {found.type}  {found.status.value}  (run {found.run_id})")
    for event in events:
        typer.echo(f"{event.sequence:>5}  {event.at:%Y-%m-%d %H:%M:%S.%f}  {event.kind:<18} {json.dumps(dict(event.attributes))}")


@workflow.command()
def replay(id: Id, run: RunId = None, config: ConfigFile = None) -> None:
    """Re-execute a history against today's code. Exit 1 where they disagree, with both sides.

    Example: `admit workflow replay change:work:acme/app:7`
    """
    from gateway.durable import NonDeterministic

    async def again(core: DurableCore) -> NonDeterministic | None:
        try:
            await core.replay(id, run)
        except NonDeterministic as difference:
            return difference
        return None

    difference = _with_core(config, again)
    typer.echo("the history and today's code agree" if difference is None else str(difference))
    raise typer.Exit(0 if difference is None else 1)


@workflow.command()
def retry(id: Id, config: ConfigFile = None) -> None:
    """Try now what waits for its next attempt.

    Example: `admit workflow retry change:work:acme/app:7`
    """
    _with_core(config, lambda core: core.retry(id, by="the command line"), act=("workflow.retried", id))
    typer.echo(f"{id}: whatever waits for another attempt is tried now")


@workflow.command()
def cancel(id: Id, config: ConfigFile = None) -> None:
    """End the newest run as cancelled; an ended one stays as it ended.

    Example: `admit workflow cancel change:work:acme/app:7`
    """
    _with_core(config, lambda core: core.cancel(id, by="the command line"), act=("workflow.cancelled", id))
    typer.echo(f"{id}: cancelled, unless it had ended already")


@dead_letters.command("list")
def list_letters(type: Kind = None, limit: Limit = 50, as_json: AsJson = False, config: ConfigFile = None) -> None:
    """What was given up and not revived, newest first.

    Example: `admit dead-letters list`
    """
    from gateway.durable.documents import letter_document

    letters = _with_core(config, lambda core: core.dead_letters(type=type, limit=limit))
    if as_json:
        _print_json([letter_document(letter) for letter in letters])
        return
    for letter in letters:
        typer.echo(f"{letter.failed_at:%Y-%m-%d %H:%M:%S}  {letter.workflow_id}  {letter.activity or letter.type}: {letter.message}")


@dead_letters.command("show")
def show_letter(id: Id, run: RunId = None, config: ConfigFile = None) -> None:
    """What was given up, why, and every attempt with its time and error.

    Example: `admit dead-letters show report:work:12:abc:main`
    """
    from gateway.durable.documents import letter_document

    _print_json(letter_document(_with_core(config, lambda core: core.dead_letter(id, run))))


@dead_letters.command()
def revive(
    id: Annotated[str | None, typer.Argument(help="One workflow; without it, all that the options leave.", show_default=False)] = None,
    all: Annotated[bool, typer.Option("--all", help="Every dead letter (of --type).")] = False,
    type: Kind = None,
    config: ConfigFile = None,
) -> None:
    """Go on from the step that failed; completed steps keep their results.

    Example: `admit dead-letters revive --all --type report_status`
    """
    if (id is None) is (not all):
        raise typer.BadParameter("name one workflow, or say --all")

    async def again(core: DurableCore) -> list[str]:
        if id is not None:
            await core.revive(id, by="the command line")
            return [id]
        letters = await core.dead_letters(type=type, limit=1000)
        for letter in letters:
            await core.revive(letter.workflow_id, letter.run_id, by="the command line")
        return [letter.workflow_id for letter in letters]

    for revived in _with_core(config, again, act=("dead_letter.revived", id or "all")):
        typer.echo(f"{revived}: goes on")


def _with_core(config: Any, work: Callable[[DurableCore], Awaitable[Any]], *, act: tuple[str, str] | None = None) -> Any:
    """Do it on the configured database, with a core that runs nothing itself. act: what of it belongs on record, and about what."""

    async def run() -> Any:
        from gateway import wiring

        settings = settings_from(config, tell=True)
        database = wiring.existing_database(settings)
        try:
            storage = wiring.build_storage(database)
            await storage.ready()
            if act is not None:
                await _put_on_record(storage, *act)
            return await work(wiring.build_core(database, {}, settings.durable))
        finally:
            await database.close()

    from gateway.durable import DurableError

    with plain_errors():
        try:
            return asyncio.run(run())
        except DurableError as problem:
            typer.echo(f"admit: {problem}", err=True)
            raise typer.Exit(2) from problem


async def _put_on_record(storage: Storage, what: str, about: str) -> None:
    """Before it is done, as over HTTP."""
    from gateway.domain.audit import AuditEvent
    from gateway.domain.clock import utc_now
    from gateway.operations.seal_record import seal_dispatch

    event = AuditEvent(at=utc_now(), who="the command line", what=what, about=about)
    await storage.record_event(event, [seal_dispatch(event.at)])


def _print_json(document: Any) -> None:
    typer.echo(json.dumps(document, indent=2))
