"""The port to where workflows run: start one, see how it goes, cancel it. Idempotent by run key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NewType, Protocol

RunKey = NewType("RunKey", str)
"""The decision's id: one decision starts one run, however often `start` is tried."""


class RunState(StrEnum):
    """The outcomes every orchestrator's own words are mapped to."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"

    @property
    def ended(self) -> bool:
        return self in {RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run as the target knows it. `words` is the target's own state, `url` its page about it."""

    id: str
    state: RunState
    words: str
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetCapabilities:
    """What the target can do beyond starting: `cancels` a run; is `idempotent` itself, or the adapter sees to it."""

    cancels: bool
    idempotent: bool


class Target(Protocol):
    """One orchestrator. Every method has a timeout of its own and raises `providers.errors`."""

    @property
    def name(self) -> str:
        """As in `admit.yaml`."""

    @property
    def capabilities(self) -> TargetCapabilities:
        """What it can do."""

    async def start(self, workflow: str, run_key: RunKey, input: Mapping[str, Any]) -> Run:
        """Start the workflow once under this key; already started under it = that run.

        Raises NotFound (no such workflow), PermanentError (refused), TemporaryError.
        """

    async def status(self, run_id: str) -> Run:
        """How it goes. Raises NotFound when the run was deleted behind our back."""

    async def cancel(self, run_id: str) -> Run:
        """Ask it to stop; an ended run stays as it ended. Raises Unsupported."""

    async def close(self) -> None:
        """Let go of connections."""
