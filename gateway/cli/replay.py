"""`admit replay`: recorded decisions computed again, offline, from the record alone."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.edge import ConfigFile, configure_logs, plain_errors, settings_from

if TYPE_CHECKING:
    from gateway.cli.replay_outputs import ReplayedDecision
    from gateway.config import Settings
    from gateway.domain.record import Decision
    from gateway.storage import DecisionFilter, Storage


class Output(StrEnum):
    """For whom the answer is written."""

    TEXT = "text"
    JSON = "json"


class OutcomeName(StrEnum):
    """As in `policies.Outcome`, without importing it for `--help`."""

    ADMITTED = "admitted"
    DENIED = "denied"
    HELD = "held"
    UNDECIDED = "undecided"


def register(app: typer.Typer) -> None:
    app.command()(replay)


def replay(
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID…", help="Decisions to recompute.", show_default=False)] = None,
    everything: Annotated[bool, typer.Option("--all", help="All decisions, or all that fit the options below.")] = False,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Decided at or after this time.", show_default=False)] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Decided before this time.", show_default=False)] = None,
    outcome: Annotated[OutcomeName | None, typer.Option(help="Of this outcome.", show_default=False)] = None,
    repository: Annotated[str | None, typer.Option(metavar="OWNER/NAME", help="About this repository.", show_default=False)] = None,
    output: Annotated[Output, typer.Option(help="How to write the answer.")] = Output.TEXT,
    config: ConfigFile = None,
) -> None:
    """Recompute recorded decisions from their facts, relation answers and bundles, and compare the verdicts byte by byte.

    Exit code: 0 all the same, 1 one is different, 2 none is but one rests on a fault that cannot be recomputed.

    Example: `admit replay --all --since 2026-01-01T00:00:00Z`

    Example: `admit replay pT1xWq-7bIYx5TnI6yS0c0lBq1mVZ3fD`
    """
    configure_logs(quiet=True)
    with plain_errors():
        narrowed = everything or any(option is not None for option in (since, until, outcome, repository))
        if bool(ids) == narrowed:
            raise typer.BadParameter("name decisions by their ids, or choose --all, --since, --until, --outcome or --repository")
        settings = settings_from(config, tell=True)

        from gateway.cli.replay_outputs import exit_code, render
        from gateway.storage import DecisionFilter
        from policies import Outcome

        wanted = DecisionFilter(
            repository=repository,
            outcome=Outcome(outcome.value) if outcome else None,
            since=moment(since, "--since"),
            until=moment(until, "--until"),
        )
        replayed = asyncio.run(_replay(settings, ids or [], wanted))
        sys.stdout.write(render(output.value, replayed, each=bool(ids)))
        raise typer.Exit(exit_code(replayed))


def moment(text: str | None, option: str) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise typer.BadParameter(f"expected a time such as 2026-01-31T12:00:00Z, found {text!r}", param_hint=option)
    return moment


async def _replay(settings: Settings, ids: Sequence[str], wanted: DecisionFilter) -> list[ReplayedDecision]:
    """Raises UnknownThing for an id nobody knows, and where nothing is to be replayed: that would look like success."""
    from gateway import wiring
    from gateway.cli.replay_outputs import ReplayedDecision
    from gateway.errors import UnknownThing
    from gateway.operations.evidence import ReadEvidence
    from gateway.operations.in_force import InForce
    from gateway.operations.replay import Replay

    storage = wiring.build_storage(wiring.existing_database(settings))
    engine = wiring.build_engine(settings.engine)
    try:
        await storage.ready()
        evidence = ReadEvidence(storage=storage, in_force=InForce(storage=storage, engine=engine))
        again = Replay(evidence=evidence, engine=engine)
        chosen = _named(storage, ids) if ids else _fitting(storage, wanted)
        replayed = [ReplayedDecision(decision=decision, result=await again(decision)) async for decision in chosen]
        if not replayed:
            raise UnknownThing("no decision fits, so nothing has been recomputed", advice="see what is recorded: GET /v1/decisions")
        return replayed
    finally:
        await engine.close()
        await storage.close()


async def _named(storage: Storage, ids: Sequence[str]) -> AsyncIterator[Decision]:
    from gateway.domain.record import DecisionId
    from gateway.errors import UnknownThing

    for id in ids:
        decision = await storage.decision(DecisionId(id))
        if decision is None:
            raise UnknownThing(f"no decision has the id '{id}'")
        yield decision


async def _fitting(storage: Storage, wanted: DecisionFilter) -> AsyncIterator[Decision]:
    cursor: str | None = None
    while True:
        page = await storage.decisions(wanted, limit=200, cursor=cursor)
        for decision in page.decisions:
            yield decision
        if (cursor := page.cursor) is None:
            return
