"""Relate: write and delete relationship tuples, and bring a model into force; each on record, each asking open changes again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from gateway.domain.audit import AuditEvent
from gateway.domain.clock import Clock
from gateway.domain.dispatch import Dispatch
from gateway.domain.relations import Consequences, Effect, HeldTuple, TupleEdit
from gateway.errors import RelationsMoved
from gateway.operations.relation_dispatches import ask_again_dispatch
from gateway.operations.seal_record import seal_dispatch
from gateway.storage.followed_tuples import FollowedTuples, parsed
from gateway.storage.relations import RelationsHead, RelationStore, StoredModel
from policies import Json
from policies.relations import RelationshipTuple, TupleRefused
from policies.relations.sound_model import SoundModel
from policies.relations.stored import World
from policies.relations.tuples import refuse_unwritable

log = structlog.get_logger()

MOST_AT_ONCE = 10_000
"""Tuples in one request: all of it is one transaction."""
LARGEST_MODEL = 256 * 1024
"""Bytes of a model, the server's limit."""

_TRIES = 5
_TOLD = 20
"""Tuples an audit event names; of more it tells how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relate:
    """Changes what relationship checks are answered from."""

    store: RelationStore
    world: FollowedTuples
    clock: Clock

    async def tuples(
        self, *, source: str, by: str, writes: Sequence[RelationshipTuple] = (), deletes: Sequence[RelationshipTuple] = ()
    ) -> Effect:
        """Write and delete together, or not at all. What is so already changes nothing.

        Raises TupleRefused (the model does not allow it, given twice, too many, not the source's to delete), RelationsUnavailable,
        and RelationsMoved where models keep changing.
        """
        if len(writes) + len(deletes) > MOST_AT_ONCE:
            raise TupleRefused(f"at most {MOST_AT_ONCE} tuples are written and deleted at once, found {len(writes) + len(deletes)}")
        for _ in range(_TRIES):
            head, world = await self._current()
            _refuse_unwritable(writes, world.model)
            edit = TupleEdit(source=source, at=self.clock(), model=head.model, writes=tuple(writes), deletes=tuple(deletes))
            try:
                effect = await self.store.edit(edit, _consequences(edit, by))
            except RelationsMoved:
                continue
            finally:
                self.world.outdated()  # also where the answer was lost on the way
            if effect.changes:
                log.info("relations changed", source=source, by=by, written=effect.written, deleted=effect.deleted)
            return effect
        raise RelationsMoved(f"models came into force {_TRIES} times while tuples were written")

    async def level(self, source: str, wanted: Collection[RelationshipTuple]) -> int:
        """Let a source hold exactly these tuples; how many of them were left out because the model does not allow them.

        Large differences take several transactions, writes first. Raises RelationsUnavailable, RelationsMoved.
        """
        _, world = await self._current()
        allowed = {one.key: one for one in wanted if world.model.why_not(one) is None}
        held = {one.tuple.key: one for one in await self.store.held_by(source)}
        writes = [one for key, one in sorted(allowed.items()) if key not in held or not _holds(held[key], one)]
        deletes = [one.tuple for key, one in sorted(held.items()) if key not in allowed]
        for start in range(0, len(writes), MOST_AT_ONCE):
            await self.tuples(source=source, by=source, writes=writes[start : start + MOST_AT_ONCE])
        for start in range(0, len(deletes), MOST_AT_ONCE):
            await self.tuples(source=source, by=source, deletes=deletes[start : start + MOST_AT_ONCE])
        return len(wanted) - len(allowed)

    async def model(self, text: str, form: str, *, by: str) -> tuple[StoredModel, int]:
        """Bring a model into force, and how many tuples it does not allow: those are kept and count for nothing.

        Raises ModelRefused with every problem and its place, RelationsMoved.
        """
        sound = await asyncio.to_thread(lambda: SoundModel(parsed(text, form)))
        for _ in range(_TRIES):
            head, world = await self._current()
            if (known := await self.store.model(head.model)) is not None and (known.text, known.form) == (text, form):
                return known, _not_allowed(sound, world)
            at = self.clock()
            model = StoredModel(number=head.model + 1, text=text, form=form, at=at, by=by)
            details: dict[str, Json] = {"model": model.number}
            event = AuditEvent(at=at, who=by, what="relations.model", about="relations", details=details)
            try:
                await self.store.put_model(model, event=event, dispatches=_asked_again(f"model-{model.number}", at))
            except RelationsMoved:
                continue
            finally:
                self.world.outdated()
            log.info("relationship model in force", model=model.number, by=by)
            return model, _not_allowed(sound, world)
        raise RelationsMoved(f"models came into force {_TRIES} times meanwhile")

    async def _current(self) -> tuple[RelationsHead, World]:
        """The world is at least as new as the head: where a model came between the two, the edit is refused and made again."""
        return await self.store.head(), await self.world.newest()


def _holds(held: HeldTuple, one: RelationshipTuple) -> bool:
    """Whether there is nothing to write: it is so already, or a person has said otherwise."""
    return held.tuple == one or held.by_a_person


def _refuse_unwritable(writes: Sequence[RelationshipTuple], model: SoundModel) -> None:
    for one in writes:
        refuse_unwritable(one)
        reason = model.why_not(one)
        if reason is not None:
            raise TupleRefused(f"the model does not allow {one}: {reason}")


def _consequences(edit: TupleEdit, by: str) -> Consequences:
    def consequences(effect: Effect) -> tuple[AuditEvent, Sequence[Dispatch]]:
        told: list[Json] = [f"{'+' if change.written else '-'} {change.tuple}" for change in effect.changes[:_TOLD]]
        last = effect.changes[-1].sequence
        details: dict[str, Json] = {
            "source": edit.source,
            "written": effect.written,
            "deleted": effect.deleted,
            "sequence": last,
            "tuples": told,
        }
        event = AuditEvent(at=edit.at, who=by, what="relations.tuples", about="relations", details=details)
        return event, _asked_again(str(last), edit.at)

    return consequences


def _asked_again(cause: str, at: datetime) -> list[Dispatch]:
    return [ask_again_dispatch(cause), seal_dispatch(at)]


def _not_allowed(model: SoundModel, world: World) -> int:
    return sum(1 for one in world.tuples if model.why_not(one) is not None)


def json_text(document: Json) -> str:
    """A JSON model as it is kept."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
