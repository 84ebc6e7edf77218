"""How a run ends, as values, as events, and what of it a workflow's own exceptions say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from gateway.durable.payloads import encoded
from gateway.durable.port import ActivityFailed, PayloadTooLarge
from policies.model import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    result: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """commands: the activities whose failure ended the run; empty if the workflow failed by itself."""

    kind: str
    message: str
    commands: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Continued:
    input: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    by: str


Ending: TypeAlias = Completed | Failed | Continued | Cancelled


def ending_of(value: Json, error: Exception | None) -> Ending:
    if error is not None:
        commands = commands_behind(error)
        return Failed(kind=type(error).__name__, message=str(error), commands=commands)
    try:
        encoded(value, "the workflow's result")
    except PayloadTooLarge as problem:
        return Failed(kind=type(problem).__name__, message=str(problem), commands=())
    return Completed(result=value)


def ending_event(ending: Ending) -> tuple[str, dict[str, Json]]:
    match ending:
        case Completed(result=result):
            return "WorkflowCompleted", {"result": result}
        case Failed(kind=kind, message=message, commands=commands):
            return "WorkflowFailed", {"kind": kind, "message": message, "commands": list(commands)}
        case Continued(input=input):
            return "ContinuedAsNew", {"input": input}
        case Cancelled(by=by):
            return "WorkflowCancelled", {"by": by}


def activity_failed(attributes: Mapping[str, Any]) -> ActivityFailed:
    failure = ActivityFailed(attributes["activity"], attributes["kind"], attributes["message"], permanent=attributes["permanent"])
    failure.commands = (attributes["command"],)
    return failure


def first_of(errors: list[Exception]) -> Exception:
    """The failure a gather raises: the first to happen, which knows of the others."""
    first = errors[0]
    if isinstance(first, ActivityFailed):
        first.commands = tuple(command for error in errors for command in commands_behind(error))
    return first


def commands_behind(error: BaseException | None) -> tuple[str, ...]:
    while error is not None:
        if isinstance(error, ActivityFailed):
            return error.commands
        error = error.__cause__ or error.__context__
    return ()
