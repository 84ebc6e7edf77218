"""Read a repository's own policies for a change: the `.admit/` of its target's tip, and of its head where it touches that."""

from __future__ import annotations

from dataclasses import replace

from gateway.domain.admission import change_document
from gateway.domain.dispatch import Dispatch, id_of
from policies import ChangeFacts, Json
from policies.repository import FOLDER, OwnFiles, own_files, touches
from providers.vcs import Change, Forge

WORKFLOW = "own_policies"


async def read_own_policies(forge: Forge, change: Change) -> OwnFiles:
    """What the repository says for itself, at the commit its target pointed to when the change was read.

    Raises as the forge does: without it nothing is judged. A head in a fork is read through the target's repository: forges
    keep a change's commits there.
    """
    repository = change.repository.name
    target = await forge.read_folder(repository, change.target_tip, FOLDER)
    own = OwnFiles(repository=change.repository.ref, commit=target.commit, target=own_files(target.files))
    if not touches_own_policies(change):
        return own
    head = await forge.read_folder(repository, change.head.sha, FOLDER)
    return replace(own, head=own_files(head.files), head_sha=change.head.sha)


def touches_own_policies(change: Change) -> bool:
    """Whether a change alters what its repository says for itself."""
    return touches(ChangeFacts(document=change_document(change)))


def own_policies_dispatch(*, connection: str, repository_id: str, repository: str, branch: str, cause: str) -> Dispatch:
    """Look at the branch's own policies again, once for each `cause`."""
    place: Json = {"connection": connection, "repository_id": repository_id, "repository": repository, "branch": branch}
    return Dispatch(
        id=id_of("own-policies", cause, repository_id, branch),
        workflow_id=id_of("own-policies", connection, repository_id, branch),
        workflow_type=WORKFLOW,
        input=place,
        signal="moved",
        payload=None,
    )
