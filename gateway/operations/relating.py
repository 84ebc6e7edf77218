"""Everything about relations, joined: the activities that keep them level and have changes judged again, and what begins them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.domain.dispatch import Dispatch
from gateway.durable import Activity
from gateway.operations.activities import refusals_are_permanent
from gateway.operations.ask_again import AskAgain
from gateway.operations.follow_relations import FollowRelations
from gateway.operations.own_relations import OwnRelations
from gateway.operations.relation_dispatches import follow_dispatch, sync_dispatch
from gateway.operations.sync_relations import SyncRelations
from policies import Json
from policies.relations import Relations


@dataclass(frozen=True, slots=True, kw_only=True)
class Relating:
    """relations: whoever answers. own: where that is this gateway, what it keeps.

    sync_every: seconds between two full passes over a forge; None where nothing is synchronised. follow_every: between two
    looks at a server's changes; None where there is no server.
    """

    relations: Relations
    own: OwnRelations | None
    ask_again: AskAgain
    sync: SyncRelations
    follow: FollowRelations
    sync_every: float | None
    follow_every: float | None

    def beginning(self, connections: Sequence[str], start: str) -> list[Dispatch]:
        """What sets the workflows going that go on for as long as the gateway is used."""
        begun = [] if self.sync_every is None else [sync_dispatch(name, every=self.sync_every, start=start) for name in connections]
        return begun if self.follow_every is None else [*begun, follow_dispatch(every=self.follow_every, start=start)]

    def activities(self) -> Mapping[str, Activity]:
        """By the names workflows call them."""

        async def _ask_again(cause: Json) -> Json:
            with refusals_are_permanent():
                return await self.ask_again(str(cause))

        async def _synced_places(connection: Json) -> Json:
            with refusals_are_permanent():
                found = await self.sync.places(str(connection))
            return None if found is None else {kind: [*names] for kind, names in found.items()}

        async def _sync_place(connection: Json, kind: Json, name: Json) -> Json:
            level = self.sync.organization if kind == "organization" else self.sync.repository
            with refusals_are_permanent():
                return await level(str(connection), str(name))

        async def _sync_forget(connection: Json, kind: Json, others: Json) -> Json:
            assert isinstance(others, list)
            with refusals_are_permanent():
                await self.sync.forget_others(str(connection), str(kind), [str(id) for id in others])
            return None

        async def _relations_changed(mark: Json) -> Json:
            found = await self.follow(mark)
            return None if found is None else {"mark": found[0], "moved": found[1]}

        return {
            "ask_again": _ask_again,
            "synced_places": _synced_places,
            "sync_place": _sync_place,
            "sync_forget": _sync_forget,
            "relations_changed": _relations_changed,
        }
