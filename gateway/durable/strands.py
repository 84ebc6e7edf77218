"""What the fold keeps in mind of a run: the coroutines it drives, and the commands that have no outcome yet."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.durable.commands import Command
from gateway.durable.payloads import attributes_text
from gateway.durable.port import RetrySchedule
from policies.model import Json


@dataclass(slots=True, eq=False)
class Strand:
    """A coroutine being driven: the workflow itself, or one branch of a gather. `path` names it for good."""

    coroutine: Coroutine[Any, Any, Json]
    path: str
    parent: Pending | None = None
    place: int = 0
    issued: int = 0
    uuids: int = 0


@dataclass(slots=True, eq=False)
class Pending:
    """A command without an outcome.

    due: when a timer fires, a wait ends, the next attempt may start. underway: an attempt has been started and nothing
    is known of it yet. since: when the command was recorded. problem: what its last attempt failed of.
    """

    id: str
    command: Command
    strand: Strand
    due: datetime | None = None
    since: datetime | None = None
    underway: bool = False
    failures: int = 0
    lost: int = 0
    schedule: RetrySchedule | None = None
    problem: str | None = None
    branches: list[Any] | None = None
    open: int = 0
    errors: list[Exception] | None = None

    def __str__(self) -> str:
        return f"command {self.id}: {self.command.intent} {attributes_text(self.command.identity())}"
