"""What sets reading a change's comments for commands going; apart, because receiving knows nothing of submitting."""

from __future__ import annotations

from gateway.domain.dispatch import Dispatch, id_of
from gateway.domain.record import change_workflow_id
from policies import Json, rfc3339
from providers.vcs import ChangeEvent

WORKFLOW = "comment_commands"

_WORDS = ("comment", "note")


def of_a_comment(event: ChangeEvent) -> bool:
    """Whether it may have been a comment, in whichever forge's words; a look too many costs one read."""
    return any(word in event.what.lower() for word in _WORDS)


def commands_dispatch(connection: str, event: ChangeEvent, *, cause: str) -> Dispatch:
    """Have the comments of a change read; once for each `cause`."""
    hint: dict[str, Json] = {"what": event.what, "updated_at": rfc3339(event.updated_at) if event.updated_at else None}
    change = change_workflow_id(connection, event.key.repository, event.key.number)
    return Dispatch(
        id=id_of("commands", cause, event.key.number),
        workflow_id=id_of("commands", change),
        workflow_type=WORKFLOW,
        input={"connection": connection, "repository": event.key.repository, "number": event.key.number},
        signal="commented",
        payload=hint,
    )
