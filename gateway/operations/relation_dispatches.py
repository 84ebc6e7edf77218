"""What sets going that relations are asked again, or read anew from a forge: apart from both, since either's cause is elsewhere."""

from __future__ import annotations

from gateway.domain.dispatch import Dispatch, id_of
from policies import Json
from providers.vcs import MembersEvent


def ask_again_dispatch(cause: str) -> Dispatch:
    """Have everything asked again; written in the transaction that changes relations."""
    return Dispatch(id=id_of("relations", cause), workflow_id="relations", workflow_type="relations_moved", signal="moved", payload=cause)


def follow_dispatch(*, every: float, start: str) -> Dispatch:
    """Begin to follow a relationship server, or go on from where it was left: once for each `start` of a gateway."""
    input: Json = {"every": every}
    return Dispatch(
        id=id_of("follow-relations", start),
        workflow_id="follow-relations",
        workflow_type="follow_relations",
        input=input,
        signal="started",
        payload=input,
    )


def sync_dispatch(connection: str, *, every: float, start: str) -> Dispatch:
    """Begin, or look at everything again at once: once for each `start` of a gateway."""
    input: Json = {"connection": connection, "every": every}
    return _dispatch(connection, start, input, {"start": input})


def members_dispatch(connection: str, event: MembersEvent, *, cause: str, every: float) -> Dispatch:
    """Have the place that changed read anew; once for each `cause`."""
    place: Json = {"organization": event.organization, "repository": event.repository}
    return _dispatch(connection, cause, {"connection": connection, "every": every}, place)


def _dispatch(connection: str, once: str, input: Json, payload: Json) -> Dispatch:
    return Dispatch(
        id=id_of("sync", connection, once),
        workflow_id=id_of("sync", connection),
        workflow_type="sync_relations",
        input=input,
        signal="members",
        payload=payload,
    )
