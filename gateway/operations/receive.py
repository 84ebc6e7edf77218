"""Receive: a webhook delivery in, verified, kept raw with what it sets going in one commit, and acknowledged."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never
from uuid import uuid4

import structlog
from prometheus_client import Counter

from gateway.domain.clock import Clock
from gateway.domain.delivery import Delivery
from gateway.domain.dispatch import Dispatch, id_of
from gateway.domain.record import change_workflow_id
from gateway.domain.report import CONTEXT_PREFIX
from gateway.domain.trace import TRACEPARENT
from gateway.errors import DatabaseUnavailable, UnknownThing
from gateway.operations.commands_dispatch import commands_dispatch, of_a_comment
from gateway.operations.judge_group import group_dispatch
from gateway.operations.measures import DELIVERIES
from gateway.operations.own_policies import own_policies_dispatch
from gateway.operations.relation_dispatches import members_dispatch
from gateway.operations.report_status import report_dispatch
from gateway.storage import Storage
from policies import Json, rfc3339
from policies.bundles.matching import fits
from providers.vcs import (
    BranchEvent,
    ChangeEvent,
    ChangeKey,
    DeliveryRefused,
    Event,
    Forge,
    HeadEvent,
    IgnoredEvent,
    MembersEvent,
    MergeGroupEvent,
    ParsedDelivery,
    Refusal,
    StatusEvent,
)

log = structlog.get_logger()

_ANSWER_WITHIN = 4.0
"""Seconds. Gitea waits 5 for an answer, the others 10."""
_COME_BACK = 15.0
WORKFLOW = "judge_change"
SIGNAL = "event"

_KEPT_HEADERS = ("content-type", "user-agent")
_KEPT_PREFIXES = ("x-gitea-", "x-forgejo-", "x-github-", "x-gitlab-", "x-hub-", "x-memory-", "webhook-")
_DROPPED = ("token", "signature")


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What became of a delivery. `ignored`: understood and of no consequence. `known`: seen before, nothing changed."""

    what: str
    ignored: bool
    known: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveDelivery:
    """Verify, keep, dispatch, answer.

    watched: connection → globs of the repositories that are judged. sync_every: seconds between two full passes over who
    belongs to what; None where relations are not synchronised.
    commands: whether comments may ask for workflows, so that they are looked at for that.
    """

    forges: Mapping[str, Forge]
    watched: Mapping[str, Sequence[str]]
    storage: Storage
    clock: Clock
    commands: bool = False
    sync_every: float | None = None

    def known(self, connection: str) -> Forge:
        """The connection's forge. Raises UnknownThing."""
        forge = self.forges.get(connection)
        if forge is None:
            raise UnknownThing(f"no connection is named '{connection}'")
        return forge

    async def __call__(self, connection: str, headers: Mapping[str, str], body: bytes) -> Received:
        """Raises UnknownThing (no such connection), DeliveryRefused (nothing is kept), DatabaseUnavailable.

        The last after a few seconds, whatever the database is doing: a forge that gets no answer counts a failure and forgets,
        one that is told to come back may send again. What was kept all the same is known then, and nothing is lost.
        """
        parsed = self.known(connection).parse_delivery(headers, body)
        try:
            async with asyncio.timeout(_ANSWER_WITHIN):
                return await self._kept(connection, parsed, headers, body)
        except TimeoutError as problem:
            message = f"the delivery could not be kept within {_ANSWER_WITHIN:g} s"
            raise DatabaseUnavailable(message, retry_after=_COME_BACK, advice="send it again") from problem

    async def _kept(self, connection: str, parsed: ParsedDelivery, headers: Mapping[str, str], body: bytes) -> Received:
        try:
            dispatches = await self._dispatches(connection, parsed)
            for dispatch in dispatches:
                dispatch.workflow_id.encode()  # a name of lone surrogates is one no database keeps
        except (OverflowError, UnicodeEncodeError) as problem:
            raise DeliveryRefused(Refusal.MALFORMED, f"it says what cannot be: {problem}") from problem
        delivery = Delivery(
            connection=connection,
            id=parsed.id,
            received_at=self.clock(),
            headers=_worth_keeping(headers),
            body=body,
            what=parsed.event.what,
        )
        new = await self.storage.record_delivery(delivery, dispatches)
        _counted(connection, "known" if not new else "taken" if dispatches else "ignored").inc()
        log.info(
            "delivery received", connection=connection, delivery=parsed.id, what=parsed.event.what, new=new, sets_going=len(dispatches)
        )
        return Received(what=parsed.event.what, ignored=not dispatches, known=not new)

    async def _dispatches(self, connection: str, parsed: ParsedDelivery) -> list[Dispatch]:
        cause = f"{connection}:{parsed.id}"
        match parsed.event:
            case StatusEvent(context=context) as event if context.startswith(CONTEXT_PREFIX):
                return await self._checks(connection, event, cause)
            case BranchEvent(sha=str()) as event if fits(self.watched[connection], event.repository, ignore_case=True):
                place = {"repository_id": event.repository_id, "repository": event.repository, "branch": event.branch}
                return [own_policies_dispatch(connection=connection, **place, cause=cause)]
            case MergeGroupEvent() as event if fits(self.watched[connection], event.group.repository, ignore_case=True):
                return [group_dispatch(connection, event, cause=cause)]
            case MembersEvent() as event:
                if self.sync_every is None:
                    return []
                return [members_dispatch(connection, event, cause=cause, every=self.sync_every)]
            case event:
                concerned = await self._concerned(connection, event)
                judged = [judge_dispatch(connection, change, cause=cause, touches=parsed.touches) for change in concerned]
                asked = [
                    commands_dispatch(connection, change, cause=cause) for change in concerned if self.commands and of_a_comment(change)
                ]
                return [*judged, *asked]

    async def _checks(self, connection: str, event: StatusEvent, cause: str) -> list[Dispatch]:
        """Our own report comes back as an event and judges nothing; what differs from it may be somebody else's."""
        posted = await self.storage.posted(connection, event.repository_id, event.sha, event.context)
        if posted is not None and posted.state == event.state:
            return []
        branch = event.context.removeprefix(CONTEXT_PREFIX)
        changes = await self.storage.changes_with_head(connection, event.repository_id, event.sha)
        return [report_dispatch(change.ref, cause, check=True) for change in changes if change.ref.target_branch == branch][:1]

    async def _concerned(self, connection: str, event: Event) -> Sequence[ChangeEvent]:
        """Which changes an event is about."""
        match event:
            case ChangeEvent():
                return [event] if fits(self.watched[connection], event.key.repository, ignore_case=True) else []
            case StatusEvent() | HeadEvent():
                changes = await self.storage.changes_with_head(connection, event.repository_id, event.sha)
                return [
                    ChangeEvent(key=ChangeKey(repository=c.ref.repository, number=c.ref.number), what=event.what, by=event.by)
                    for c in changes
                    if c.state == "open"
                ]
            case BranchEvent() | MembersEvent() | MergeGroupEvent() | IgnoredEvent():
                return []
            case _:
                assert_never(event)


@functools.cache  # as many as there are connections
def _counted(connection: str, outcome: str) -> Counter:
    return DELIVERIES.labels(connection, outcome)


def judge_dispatch(connection: str, event: ChangeEvent, *, cause: str, touches: Iterable[str] | None = None) -> Dispatch:
    """Have a change judged; once for each `cause` and change. touches: the facts that can have been altered, None = any."""
    hint: dict[str, Json] = {
        "what": event.what,
        "head_sha": event.head_sha,
        "updated_at": rfc3339(event.updated_at) if event.updated_at else None,
        "by": event.by,
        "touches": None if touches is None else [*sorted(touches)],
        **({"trace": trace} if (trace := TRACEPARENT.get()) is not None else {}),
    }
    workflow_id = change_workflow_id(connection, event.key.repository, event.key.number)
    return Dispatch(
        id=id_of("judge", cause, event.key.number),
        workflow_id=workflow_id,
        workflow_type=WORKFLOW,
        input={"connection": connection, "repository": event.key.repository, "number": event.key.number},
        signal=SIGNAL,
        payload=hint,
    )


def recheck_dispatch(connection: str, key: ChangeKey) -> Dispatch:
    """Have a change judged again because somebody asks for it; every asking counts."""
    return judge_dispatch(connection, ChangeEvent(key=key, what="recheck"), cause=f"recheck:{uuid4()}")


def _worth_keeping(headers: Mapping[str, str]) -> dict[str, str]:
    """The forge's own headers, by their names in lower case; nothing that is, or proves knowledge of, a secret."""
    return {name.lower(): value for name, value in sorted(headers.items()) if _is_kept(name.lower())}


@functools.lru_cache(maxsize=1024)  # a forge has some dozens
def _is_kept(name: str) -> bool:
    return (name in _KEPT_HEADERS or name.startswith(_KEPT_PREFIXES)) and not any(word in name for word in _DROPPED)
