"""This process among those that run workflows: known by an owner's name, beating, watching the others' beats."""

from __future__ import annotations

from functools import partial

import structlog
from sqlalchemy import Connection

from gateway.durable.sql.claims import release
from gateway.durable.sql.clock import Clock, elapsed
from gateway.durable.sql.identity import new_owner
from gateway.durable.sql.liveness import Watch
from gateway.durable.sql.owners import beat, beats, bury, gone, orphaned, register, unregister
from gateway.storage.database import Database

log = structlog.get_logger(__name__)


class Presence:
    """`owner` is a new name at every `begin`. Any method may raise DatabaseUnavailable."""

    def __init__(self, database: Database, clock: Clock, *, name: str | None, lease: float) -> None:
        self.owner = ""
        self._database = database
        self._clock = clock
        self._name = name
        self._watch = Watch(lease)

    async def begin(self) -> str:
        """Become known under a new name; it."""
        owner = new_owner(self._name)
        await self._database.write(partial(register, owner=owner, now_ms=self._clock.now_ms()))
        self.owner = owner
        return owner

    async def beat(self) -> bool:
        """Say that we live; False if others have decided otherwise."""
        return await self._database.write(partial(beat, owner=self.owner, now_ms=self._clock.now_ms()))

    async def take_over(self) -> int:
        """Free the runs of the dead, and those of nobody; how many."""
        now = self._clock.now_ms()
        dead = self._watch.look(await self._database.read(beats), elapsed()) | await self._database.read(gone)
        total = 0
        for owner, last in dead.items():
            if owner == self.owner:
                continue
            freed = await self._database.write(partial(bury, owner=owner, beat_seen=last, now_ms=now))
            if freed is not None:
                if freed:
                    log.warning("took over from a dead process", owner=owner, runs=freed)
                total += freed
        for owner in await self._database.read(orphaned):
            total += await self._database.write(partial(release, owner=owner, run_ids=None, now_ms=now))
        return total

    async def end(self) -> None:
        """Leave in order: what is still ours is anybody's."""
        await self._database.write(self._depart)

    def _depart(self, connection: Connection) -> None:
        release(connection, self.owner, None, self._clock.now_ms())
        unregister(connection, self.owner)
