"""Override: let a change through in spite of its verdict, for a while, by somebody who may, on record.

What is known of the change, the audit event, the report, the next judgement and the end of it all are one commit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from gateway.domain.clock import Clock
from gateway.domain.dispatch import Dispatch, id_of
from gateway.domain.override import LONGEST, OVERRIDDEN, OVERRIDE_ENDED, REASON_LIMIT, in_force, override_event
from gateway.domain.record import Override, TrackedChange
from gateway.domain.rights import OVERRIDE, Granted, Reach
from gateway.errors import UnknownThing
from gateway.operations.receive import judge_dispatch
from gateway.operations.report_status import report_dispatch
from gateway.operations.rights import Rights
from gateway.operations.seal_record import seal_dispatch
from gateway.storage import Storage, StoredToken
from policies import Json, rfc3339
from policies.errors import RequestRefused
from providers.errors import TemporaryError
from providers.vcs import ChangeEvent, ChangeKey, ChangeState, Forge

WORKFLOW = "end_override"


@dataclass(frozen=True, slots=True, kw_only=True)
class OverrideChange:
    """The right to it is the scope operator, or the relation `override` to the repository."""

    storage: Storage
    forges: Mapping[str, Forge]
    rights: Rights
    clock: Clock

    async def __call__(
        self, connection: str, repository: str, number: int, *, reason: str, until: datetime, by: StoredToken
    ) -> TrackedChange:
        """Beside the decision in force, until then; the change as it is known now.

        Raises RequestRefused (no reason, an end that has come or is too far off), UnknownThing (no such change, not open,
        no decision on its present head), NotAllowed, TemporaryError (the forge or the relations cannot be asked).
        """
        self._refuse_wrong(reason, until)
        change = await self._open_change(connection, repository, number)
        granted = await self._right(by, change)
        override = Override(by=by.actor or by.name, reason=reason.strip(), until=until)
        event = override_event(OVERRIDDEN, change, override, granted=granted, at=self.clock())
        going = [*self._going(change, f"override:{event.at.timestamp()}"), _end_dispatch(change, override)]
        known = await self.storage.set_override(change, override, event=event, dispatches=going)
        if known is None:
            raise TemporaryError(f"{repository}#{number} moved while it was being overridden: look at it again")
        return known

    async def end(self, connection: str, repository: str, number: int, *, by: StoredToken) -> TrackedChange:
        """End it before its time. Raises UnknownThing where there is none, and NotAllowed."""
        change = await self.storage.change(connection, repository, number)
        override = change.override if change is not None else None
        if change is None or override is None or not in_force(override, self.clock()):
            raise UnknownThing(f"no override of {repository}#{number} is in force")
        granted = await self._right(by, change)
        event = override_event(OVERRIDE_ENDED, change, override, granted=granted, at=self.clock())
        known = await self.storage.set_override(
            change, None, event=event, dispatches=self._going(change, f"override-ended:{event.at.timestamp()}")
        )
        if known is None:
            raise TemporaryError(f"{repository}#{number} moved while its override was being ended: look at it again")
        return known

    async def ended(self, connection: str, repository: str, number: int) -> float:
        """At its end: report and judge without it. Seconds that are left, if it turns out that some are; else 0."""
        change = await self.storage.change(connection, repository, number)
        override = change.override if change is not None else None
        if change is None or override is None:
            return 0.0
        left = (override.until - self.clock()).total_seconds()
        if left > 0:
            return left
        await self.storage.record_dispatches(self._going(change, f"override-ended:{override.until.timestamp()}"))
        return 0.0

    def _refuse_wrong(self, reason: str, until: datetime) -> None:
        if not reason.strip() or len(reason) > REASON_LIMIT or not _is_text(reason):
            raise RequestRefused(f"reason: expected why, in at most {REASON_LIMIT} characters")
        if until.tzinfo is None or not self.clock() < until <= self.clock() + LONGEST:
            raise RequestRefused(f"until: expected a time to come, with its zone, within {LONGEST.days} days")

    async def _open_change(self, connection: str, repository: str, number: int) -> TrackedChange:
        """The change, known and on the forge alike: what was merged a moment ago is overridden by nobody."""
        forge, change = self.forges.get(connection), await self.storage.change(connection, repository, number)
        if forge is None or change is None:
            raise UnknownThing(f"nothing is known of change {number} of {repository} on connection '{connection}'")
        summary = await forge.summary(ChangeKey(repository=repository, number=number))
        if summary.state is not ChangeState.OPEN:
            raise UnknownThing(f"{repository}#{number} is {summary.state.value}: there is nothing to override")
        if change.decision_id is None or (summary.head_sha, summary.target_branch) != (change.ref.head_sha, change.ref.target_branch):
            raise UnknownThing(
                f"no decision is in force for the present head of {repository}#{number}: there is nothing to override yet",
                advice="wait until it is judged, or have it judged: POST …/recheck",
            )
        return change

    async def _right(self, by: StoredToken, change: TrackedChange) -> Granted:
        async def reach() -> Reach:
            return Reach(objects=(change.ref.repository_ref,))

        return await self.rights(OVERRIDE, by, reach)

    def _going(self, change: TrackedChange, cause: str) -> list[Dispatch]:
        ref = change.ref
        event = ChangeEvent(key=ChangeKey(repository=ref.repository, number=ref.number), what="override")
        cause = f"{cause}:{ref.workflow_id}"
        return [report_dispatch(ref, cause), judge_dispatch(ref.connection, event, cause=cause), seal_dispatch(self.clock())]


def _end_dispatch(change: TrackedChange, override: Override) -> Dispatch:
    ref = change.ref
    id = id_of("override", ref.connection, ref.repository.lower(), ref.number, round(override.until.timestamp() * 1000))
    place: dict[str, Json] = {"connection": ref.connection, "repository": ref.repository, "number": ref.number}
    return Dispatch(id=id, workflow_id=id, workflow_type=WORKFLOW, input={**place, "until": rfc3339(override.until)})


def _is_text(text: str) -> bool:
    return text.encode("utf-8", "replace").decode() == text
