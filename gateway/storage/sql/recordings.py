"""Decisions written down with all that goes with them: those of many judgements by few statements.

One that is written alone may turn out to be on record already. Among several that is left to the database to find: their ids
are random, so that a second of the same is a fault of them all, and each is then written alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from gateway.domain.dispatch import Dispatch
from gateway.domain.record import Decision, TrackedChange
from gateway.storage.dispatches import write_dispatches
from gateway.storage.port import Seen
from gateway.storage.sql import changes, decisions
from gateway.storage.sql.blobs import keep_blobs, keep_new_blobs
from gateway.storage.sql.generations import require_generation


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What `Storage.record_decision` is given, and the row that the decision is written as."""

    decision: Decision
    row: Mapping[str, Any]
    facts: bytes
    change: TrackedChange | None
    generation: int | None
    dispatches: Sequence[Dispatch]
    seen: Seen | None


def record_decisions(connection: Connection, recordings: Sequence[Recording], *, now_ms: int) -> list[Decision]:
    """Of each, the decision that stands on record now: itself, or the last one where it says the same.

    Raises what is wrong with one of them, and nothing is to be kept then.
    """
    for number in {each.generation for each in recordings if each.generation is not None}:
        require_generation(connection, number)
    recorded = _alone(connection, recordings[0]) if len(recordings) == 1 else _together(connection, recordings)
    for each, decision in zip(recordings, recorded, strict=True):
        if each.change is not None:
            changes.record_decided(connection, each.change, decision, each.seen)
    write_dispatches(connection, [dispatch for each in recordings for dispatch in each.dispatches], now_ms=now_ms)
    return recorded


def _alone(connection: Connection, one: Recording) -> list[Decision]:
    recorded = decisions.record_decision(connection, one.decision, one.row)
    if recorded.id == one.decision.id:
        keep_blobs(connection, "facts", [(one.decision.input_digest, one.facts)])
    return [recorded]


def _together(connection: Connection, recordings: Sequence[Recording]) -> list[Decision]:
    """Those of one change one after another: the second may confirm the first."""
    about = [each.row["change_key"] for each in recordings if each.row["change_key"] is not None]
    if len(set(about)) < len(about):
        return [_alone(connection, each)[0] for each in recordings]
    confirmed = [decisions.confirm_last(connection, each.decision, each.row) for each in recordings]
    new = [each for each, known in zip(recordings, confirmed, strict=True) if known is None]
    decisions.write_new(connection, [each.row for each in new])
    keep_new_blobs(connection, "facts", {each.decision.input_digest: each.facts for each in new})
    return [known or each.decision for each, known in zip(recordings, confirmed, strict=True)]
