"""One attempt of an activity, awaited on the process's loop: its outcome as a value, whatever it does."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

import structlog

from gateway.durable.commands import RunActivity
from gateway.durable.heartbeats import heard_by
from gateway.durable.payloads import decoded, encoded
from gateway.durable.port import Activity, PayloadTooLarge
from policies.model import Json
from providers.errors import PermanentError, RateLimited, TemporaryError

log = structlog.get_logger(__name__)

_TEXT_LIMIT = 2000
SLOW_DOWN = 60.0
"""Seconds a side is left alone that asked to be (429) without saying for how long, or did not answer in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeeded:
    result: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFailed:
    """kind: the exception's class; permanent: trying again will not help; retry_after: seconds at least before the next."""

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
        known = ", ".join(sorted(activities)) or "none"
        return AttemptFailed(kind="UnknownActivity", message=f"no activity '{command.name}' here; this code knows {known}", permanent=False)
    deadline = _Deadline(command)
    try:
        async with deadline.scope:
            with heard_by(deadline.heard):
                return _succeeded(command, await activity(*command.arguments))
    except TemporaryError as problem:
        return AttemptFailed(kind=_kind(problem), message=_text(problem), permanent=False, retry_after=_asked(problem))
    except PermanentError as problem:
        return AttemptFailed(kind=_kind(problem), message=_text(problem), permanent=True)
    except Exception as problem:  # the activity's edge: anything else is a bug in it, and must not take the engine along
        if deadline.scope.expired():
            return AttemptFailed(kind="TimedOut", message=deadline.why, permanent=False, retry_after=SLOW_DOWN)
        log.exception("activity raised what is neither temporary nor permanent", activity=command.name)
        return AttemptFailed(kind=_kind(problem), message=_text(problem), permanent=False)


class _Deadline:
    """An attempt's time: so long in all, and so long in silence."""

    def __init__(self, command: RunActivity) -> None:
        self._loop = asyncio.get_running_loop()
        self._end = self._loop.time() + command.timeout
        self._silence = command.heartbeat
        self._command = command
        self.scope = asyncio.timeout_at(self._next())

    @property
    def why(self) -> str:
        if self._silence is not None and self._loop.time() < self._end:
            return f"no heartbeat within {self._silence:g} s"
        return f"no result within {self._command.timeout:g} s"

    def heard(self) -> None:
        with suppress(RuntimeError):  # a thread that outlived its attempt, or the loop
            self._loop.call_soon_threadsafe(self._push_back)

    def _push_back(self) -> None:
        with suppress(RuntimeError):  # the attempt is over
            self.scope.reschedule(self._next())

    def _next(self) -> float:
        return self._end if self._silence is None else min(self._end, self._loop.time() + self._silence)


def _succeeded(command: RunActivity, result: Json) -> AttemptOutcome:
    try:
        return Succeeded(result=decoded(encoded(result, f"result of activity '{command.name}'")))
    except PayloadTooLarge as problem:
        return AttemptFailed(kind=_kind(problem), message=_text(problem), permanent=True)


def _asked(problem: TemporaryError) -> float | None:
    return SLOW_DOWN if problem.retry_after is None and isinstance(problem, RateLimited) else problem.retry_after


def _kind(problem: BaseException) -> str:
    return type(problem).__name__


def _text(problem: BaseException) -> str:
    """As much as a history should hold."""
    text = str(problem)
    return text if len(text) <= _TEXT_LIMIT else text[:_TEXT_LIMIT] + " …"
