"""The second port to forges: make the gateway's status required, and find the ways round it.

Separate from `port.py`, since it needs an administrator's credentials, which the running gateway must not hold. It is
called by people (`admit connect`), every call may be repeated, and a call that cannot do all it promises raises.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Applied(StrEnum):
    """What a call found to do."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


class Gap(StrEnum):
    """A way round the gate, or a piece of it that is missing."""

    HOOK_MISSING = "hook_missing"
    HOOK_TWICE = "hook_twice"
    HOOK_INACTIVE = "hook_inactive"
    HOOK_TOO_NARROW = "hook_too_narrow"
    """It does not send all that has to be known: events are missing, or a filter holds some back."""
    RIGHTS_MISSING = "rights_missing"
    """The gateway's own account cannot do all it has to."""
    STATUS_NOT_REQUIRED = "status_not_required"
    RULE_SHADOWED = "rule_shadowed"
    """A rule requires the status, but another one is in force on the branch."""
    CHECKS_IGNORED = "checks_ignored"
    """The rule lists checks the forge silently drops, since it cannot read them."""
    ADMINS_EXEMPT = "admins_exempt"
    PUSHES_ALLOWED = "pushes_allowed"
    FORCE_PUSHES_ALLOWED = "force_pushes_allowed"
    MANUAL_MERGE = "manual_merge"
    """A change can be declared merged, or is taken for merged, without its checks being looked at."""
    OTHERS_MAY_MERGE = "others_may_merge"
    """Others than the gateway may merge. Where the forge does not insist on who reports a status, they may forge it."""
    ANY_SOURCE = "any_source"
    """The forge could insist that only the gateway reports the status, and is not told to."""
    FILES_UNPROTECTED = "files_unprotected"
    """Some files may be pushed without a change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One gap: what was found, and what closes it."""

    gap: Gap
    message: str
    advice: str


class ForgeSetup(Protocol):
    """One forge with an administrator's credentials. Raises only `providers.errors`, AccessRefused if a role is lacking."""

    @property
    def connection(self) -> str:
        """The connection's name, as in `admit.yaml`."""

    async def register_webhook(self, repository: str, url: str, secret: str) -> Applied:
        """Exactly one active webhook to `url`, with every event the gateway needs and this secret.

        Where the forge cannot tell or change a hook's secret, one that is there is replaced.
        """

    async def require(self, repository: str, branch: str, context: str, *, only_gateway_merges: bool = False) -> Applied:
        """Make the status a condition of merging into the branch, for administrators too, and forbid plain pushes.

        What the branch's rule says otherwise stays. only_gateway_merges: nobody but the gateway's account may merge.
        """

    async def audit(self, repository: str, branch: str, context: str) -> Sequence[Finding]:
        """Every way round the status on this branch that the forge's settings show; none = none known. Changes nothing."""

    async def audit_webhook(self, repository: str, url: str) -> Sequence[Finding]:
        """What is amiss with the webhook to `url`; none = it is as `register_webhook` leaves it. Changes nothing."""

    async def close(self) -> None:
        """Let go of connections."""
