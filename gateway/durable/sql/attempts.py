"""One attempt of an activity, awaited on the process's loop: its outcome as a value, whatever it does."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import structlog

from gateway.durable.commands import RunActivity
from gateway.durable.payloads import decoded, encoded
from gateway.durable.port import Activity, PayloadTooLarge
from policies.model import Json
from providers.errors import PermanentError, TemporaryError

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeeded:
    result: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFailed:
    """kind: the exception's class; permanent: trying again will not help."""

    kind: str
    message: str
    permanent: bool
    retry_after: float | None = None


AttemptOutcome: TypeAlias = Succeeded | AttemptFailed


async def attempt(activities: Mapping[str, Activity], command: RunActivity) -> AttemptOutcome:
    """Run the activity once. Raises only CancelledError."""
    activity = activities.get(command.name)
    if activity is None:
        # temporary: the process that knows it may be another, or the next release
        return AttemptFailed(kind="UnknownActivity", message=f"no activity '{command.name}' here", permanent=False)
    deadline = asyncio.timeout(command.timeout)
    try:
        async with deadline:
            return _succeeded(command, await activity(*command.arguments))
    except TemporaryError as problem:
        return AttemptFailed(kind=_kind(problem), message=str(problem), permanent=False, retry_after=problem.retry_after)
    except PermanentError as problem:
        return AttemptFailed(kind=_kind(problem), message=str(problem), permanent=True)
    except Exception as problem:  # the activity's edge: anything else is a bug in it, and must not take the engine along
        if deadline.expired():
            return AttemptFailed(kind="TimedOut", message=f"no result within {command.timeout:g} s", permanent=False)
        log.exception("activity raised what is neither temporary nor permanent", activity=command.name)
        return AttemptFailed(kind=_kind(problem), message=str(problem), permanent=False)


def _succeeded(command: RunActivity, result: Json) -> AttemptOutcome:
    try:
        return Succeeded(result=decoded(encoded(result, f"result of activity '{command.name}'")))
    except PayloadTooLarge as problem:
        return AttemptFailed(kind=_kind(problem), message=str(problem), permanent=True)


def _kind(problem: BaseException) -> str:
    return type(problem).__name__
