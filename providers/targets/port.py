"""The port to where workflows run: start one, see how it goes, cancel it. Idempotent by run key.

Every method that reaches out has a timeout of its own and raises only `providers.errors`: TemporaryError when trying
again may help (with `retry_after` where the target said so), PermanentError when it will not.

A start that failed with a TemporaryError may have started the run all the same: the target accepted it, and the answer
was lost. Both ways on are safe: `start` again under the same key is that run, and `find` says whether there is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NewType, Protocol

RunKey = NewType("RunKey", str)
"""The decision's id: one decision starts one run, however often `start` is tried. 1 to 64 of A-Z a-z 0-9 _ -"""


class RunState(StrEnum):
    """The outcomes every orchestrator's own words are mapped to. UNKNOWN: a word we do not know; look again later."""

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
    """A run as the target knows it.

    id: the target's own, to be kept and handed back as it is. words: the target's own state. message: what the target
    says about it, at most 1,000 characters. url: its page about the run.
    """

    id: str
    state: RunState
    words: str
    message: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetCapabilities:
    """What the target can do beyond starting.

    cancels: a run can be asked to stop. idempotent: the target itself refuses a second run under a key; where it does
    not, the adapter looks for the first one, and of two that began at once it stops the younger.
    """

    cancels: bool
    idempotent: bool


class Target(Protocol):
    """One orchestrator, with one set of credentials."""

    @property
    def name(self) -> str:
        """As in `admit.yaml`."""

    @property
    def orchestrator(self) -> str:
        """What it is: `temporal`, `argo`, …; to be shown, never to be asked what it can do."""

    @property
    def capabilities(self) -> TargetCapabilities:
        """What it can do."""

    async def start(self, workflow: str, run_key: RunKey, input: Mapping[str, Any]) -> Run:
        """Start the workflow once under this key; already started under it = that run, whatever the input.

        `workflow` is the gateway's name, which the target's configuration may translate; `input` is a JSON object.
        Raises NotFound (no such workflow), PermanentError (refused: the input does not fit, say), TemporaryError.
        """

    async def find(self, workflow: str, run_key: RunKey) -> Run | None:
        """The run that was started under this key, None if there is none (yet: a start may still be on its way)."""

    async def status(self, run_id: str) -> Run:
        """How it goes. Raises NotFound when the run was deleted behind our back."""

    async def cancel(self, run_id: str) -> Run:
        """Ask it to stop; how it stands after that. It may take a while to end, and an ended run stays as it ended.

        Raises Unsupported, NotFound.
        """

    async def probe(self) -> str:
        """Who answers, in a few words for people: product, version, as whom we are known. Raises as the others do."""

    async def close(self) -> None:
        """Let go of connections."""
