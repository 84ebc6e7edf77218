"""The part of a running gateway that is about relations: who answers, who keeps up with forges and servers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.config import RelationsServer, Settings
from gateway.domain.clock import Clock
from gateway.operations.ask_again import AskAgain
from gateway.operations.follow_relations import ChangingElsewhere, FollowRelations
from gateway.operations.own_relations import OwnRelations
from gateway.operations.relate import Relate
from gateway.operations.relating import Relating
from gateway.operations.sync_relations import SyncRelations
from gateway.storage import Database, Storage
from gateway.storage.followed_tuples import FollowedTuples, NewestTuples
from gateway.wiring import build_relation_store, build_relations, build_stored_relations
from providers.vcs import Forge


def build_relating(
    settings: Settings,
    *,
    database: Database,
    storage: Storage,
    forges: Mapping[str, Forge],
    watched: Mapping[str, Sequence[str]],
    clock: Clock,
) -> Relating:
    """Raises ConfigurationWrong, RelationsRefused."""
    world = FollowedTuples(build_relation_store(database)) if settings.relations == "local" else None
    own = None if world is None else _own_relations(world, database, clock)
    relations = own.relations if own is not None else build_relations(settings.relations)
    server = settings.relations.openfga if isinstance(settings.relations, RelationsServer) else None
    return Relating(
        relations=relations,
        own=own,
        ask_again=AskAgain(
            storage=storage, relations=relations if world is None else build_stored_relations(NewestTuples(world)), clock=clock
        ),
        sync=SyncRelations(forges=forges, watched=watched, relate=own.relate if own is not None else None),
        follow=FollowRelations(server=relations if isinstance(relations, ChangingElsewhere) else None),
        sync_every=settings.sync_seconds if own is not None else None,
        follow_every=server.follow_seconds if server is not None else None,
    )


def _own_relations(world: FollowedTuples, database: Database, clock: Clock) -> OwnRelations:
    store = build_relation_store(database)
    relate = Relate(store=store, world=world, clock=clock)
    return OwnRelations(store=store, relate=relate, relations=build_stored_relations(world), clock=clock)
