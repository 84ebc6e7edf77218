"""Reconcile: find what webhooks did not tell, by comparing a repository's cheap listing with what is known of it.

Only what differs is judged. Forges send each delivery at most once, and for some acts none at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from gateway.domain.clock import Clock
from gateway.domain.dispatch import Dispatch, id_of
from gateway.domain.record import TrackedChange
from gateway.errors import UnknownThing
from gateway.operations.receive import judge_dispatch
from gateway.storage import Storage
from policies import Json, Outcome
from providers.vcs import ChangeEvent, ChangeKey, Forge, OpenChange

log = structlog.get_logger()

_LIMIT = 100_000
"""Open changes looked at in one pass; nobody has that many, and a pass must not miss one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconcile:
    """Keeps what is known of a connection's repositories level with its forge. watched: connection → repository globs."""

    forges: Mapping[str, Forge]
    watched: Mapping[str, Sequence[str]]
    storage: Storage
    clock: Clock

    async def repositories(self, connection: str) -> tuple[list[str], list[str]] | None:
        """The watched repositories by name: those with open changes we know of, and the others; None: no such connection.

        Raises as the forge does.
        """
        if connection not in self.forges:
            return None
        found = await self._forge(connection).repositories(self.watched[connection])
        known = {c.ref.repository.lower() for c in await self.storage.changes(limit=_LIMIT) if c.ref.connection == connection}
        live = [repository.name for repository in found if repository.name.lower() in known]
        return live, [repository.name for repository in found if repository.name.lower() not in known]

    async def repository(self, connection: str, repository: str, *, thorough: bool = False) -> int:
        """Have every change judged that differs from what is known of it; how many. Raises as the forge does.

        thorough: and every admitted one, since some acts (a review deleted on Gitea) neither tell nor show in a listing.
        """
        listed = {change.key.number: change for change in await self._forge(connection).open_changes(repository)}
        known = {
            change.ref.number: change
            for change in await self.storage.changes(limit=_LIMIT)
            if (change.ref.connection, change.ref.repository.lower()) == (connection, repository.lower())
        }
        again = {number for number, change in known.items() if thorough and change.outcome is Outcome.ADMITTED}
        different = {number for number in listed.keys() | known.keys() if _differs(listed.get(number), known.get(number))}
        differing = sorted(different)
        cause = f"reconcile:{self.clock().timestamp()}"
        events = [_event(repository, number, listed.get(number)) for number in sorted(different | again)]
        await self.storage.record_dispatches([judge_dispatch(connection, event, cause=f"{cause}:{repository}") for event in events])
        if differing:
            log.info("changes differ from what was known", connection=connection, repository=repository, numbers=differing)
        return len(events)

    def _forge(self, connection: str) -> Forge:
        forge = self.forges.get(connection)
        if forge is None:
            raise UnknownThing(f"no connection is named '{connection}'")
        return forge


def reconcile_dispatch(connection: str, *, every: float, start: str) -> Dispatch:
    """Begin, or look again at once: once for each `start` of a gateway."""
    input: Json = {"connection": connection, "live_seconds": every}
    return Dispatch(
        id=id_of("reconcile", connection, start),
        workflow_id=id_of("reconcile", connection),
        workflow_type="reconcile",
        input=input,
        signal="started",
        payload=input,
    )


def _differs(listed: OpenChange | None, known: TrackedChange | None) -> bool:
    """Not known, gone from the listing (closed, merged), never judged, or moved."""
    if listed is None or known is None or known.decision_id is None:
        return True
    return (listed.head_sha, listed.updated_at) != (known.ref.head_sha, known.updated_at)


def _event(repository: str, number: int, listed: OpenChange | None) -> ChangeEvent:
    return ChangeEvent(
        key=ChangeKey(repository=repository, number=number),
        what="reconcile",
        head_sha=listed.head_sha if listed else None,
        updated_at=listed.updated_at if listed else None,
    )
