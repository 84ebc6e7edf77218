"""What a workflow can ask for, as values: the coroutine awaits one, and whoever drives it sends back the outcome.

Each command knows the event that records its intent, and which of that event's attributes have to agree with the code
when history is replayed (`identity`): what is done, not how (a schedule or a timeout may change while runs are on
their way).
"""

from __future__ import annotations

import types
from collections.abc import Coroutine, Generator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from gateway.durable.port import RetrySchedule
from policies.model import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class RunActivity:
    """Run an activity until it succeeds, is refused or its schedule is used up."""

    name: str
    arguments: tuple[Json, ...]
    schedule: RetrySchedule
    timeout: float
    heartbeat: float | None = None

    intent = "ActivityScheduled"

    def identity(self) -> dict[str, Json]:
        return {"activity": self.name, "arguments": list(self.arguments)}

    def attributes(self, at: datetime) -> dict[str, Json]:
        return {**self.identity(), "schedule": schedule_document(self.schedule), "timeout": self.timeout, "heartbeat": self.heartbeat}

    def due(self, at: datetime) -> datetime | None:
        return at


@dataclass(frozen=True, slots=True, kw_only=True)
class StartTimer:
    """Wait for so many seconds."""

    seconds: float

    intent = "TimerStarted"

    def identity(self) -> dict[str, Json]:
        return {"seconds": self.seconds}

    def attributes(self, at: datetime) -> dict[str, Json]:
        return {**self.identity(), "fire_at": (at + timedelta(seconds=self.seconds)).isoformat()}

    def due(self, at: datetime) -> datetime | None:
        return at + timedelta(seconds=self.seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitSignal:
    """Wait for a signal of one of these names (none = any), for so many seconds (None = for ever)."""

    names: tuple[str, ...]
    timeout: float | None

    intent = "SignalAwaited"

    def identity(self) -> dict[str, Json]:
        return {"names": list(self.names), "timeout": self.timeout}

    def attributes(self, at: datetime) -> dict[str, Json]:
        until = self.due(at)
        return {**self.identity(), "until": until.isoformat() if until else None}

    def due(self, at: datetime) -> datetime | None:
        return None if self.timeout is None else at + timedelta(seconds=self.timeout)

    def accepts(self, name: str) -> bool:
        return not self.names or name in self.names


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """Run these side by side."""

    branches: tuple[Coroutine[Any, Any, Json], ...]

    intent = "Branched"

    def identity(self) -> dict[str, Json]:
        return {"branches": len(self.branches)}

    def attributes(self, at: datetime) -> dict[str, Json]:
        return self.identity()

    def due(self, at: datetime) -> datetime | None:
        return None


Command: TypeAlias = RunActivity | StartTimer | AwaitSignal | Branch


@types.coroutine
def ask(command: Command) -> Generator[Command, Any, Any]:
    """Await a command: its outcome, once whoever drives the coroutine knows it."""
    return (yield command)


class ContinuedAsNew(BaseException):  # not an Exception: a workflow's own `except Exception` must not swallow it
    """Unwinds a workflow that goes on with a fresh history."""

    def __init__(self, input: Json) -> None:
        self.input = input


def schedule_document(schedule: RetrySchedule) -> dict[str, Json]:
    """As written in histories."""
    return {
        "name": schedule.name,
        "delays": list(schedule.delays),
        "repeat_last_for": schedule.repeat_last_for,
        "jitter": schedule.jitter,
        "retry_after_limit": schedule.retry_after_limit,
    }


def schedule_from_document(document: dict[str, Any]) -> RetrySchedule:
    """The inverse of `schedule_document`. Raises KeyError, TypeError."""
    return RetrySchedule(**{**document, "delays": tuple(document["delays"])})
