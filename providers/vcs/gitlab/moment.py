"""Tell facts of one moment from torn ones, and whole lists from those GitLab cut short. Pure.

After a push GitLab computes the new diff in a job: until then commits and files are those of the head before. Its lists
are also capped (`changes_count` ends with `+`), which is a fault here, never a smaller change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from providers.errors import PermanentError, TornFacts
from providers.vcs.documents import Document
from providers.vcs.port import ChangeEvent


def moment(merge_request: Document) -> tuple[object, ...]:
    """What must not differ between the first and the last reading of a merge request."""
    return (
        (merge_request.text("sha"), merge_request.text("source_branch"), merge_request.number_or_none("source_project_id")),
        (merge_request.text("target_branch"), merge_request.fields.get("diff_refs"), merge_request.fields.get("changes_count")),
        (merge_request.text("state"), merge_request.flag("draft"), merge_request.text("title"), merge_request.text_or_none("description")),
        (merge_request.text("updated_at"), tuple(merge_request.texts("labels"))),
    )


def diff_range(merge_request: Document) -> tuple[str, str, str]:
    """Merge base, head, and the target branch's commit the diff was made against.

    Raises TornFacts while there is no diff, or one of another head.
    """
    refs = merge_request.document_or_none("diff_refs")
    if refs is None or ("prepared_at" in merge_request.fields and merge_request.fields["prepared_at"] is None):
        raise TornFacts(f"{merge_request.where}: GitLab is still preparing it")
    base, head, start = (refs.text_or_none(name) for name in ("base_sha", "head_sha", "start_sha"))
    if base is None or start is None or head != merge_request.text("sha"):
        raise TornFacts(
            f"{merge_request.where}: the head is {merge_request.text('sha')[:12]}, but the diff is of {(head or 'nothing')[:12]}"
        )
    return base, head, start


def check_target(merge_request: Document, start: str, common: str) -> None:
    """The diff is one against the target branch. After a retarget it may still be one against the branch before, which can
    hide files: then the commit it was made against is not on the branch. `common`: their newest common commit."""
    if common != start:
        branch = merge_request.text("target_branch")
        raise TornFacts(
            f"{merge_request.where}: the diff was made against {start[:12]}, which is not on '{branch}'",
            advice=f"rebase the source branch onto '{branch}', so that GitLab makes the diff anew",
        )


def check_files(merge_request: Document, files: Sequence[Document]) -> None:
    """As many as are changed, each once."""
    counted = merge_request.text_or_none("changes_count")
    if counted is not None and counted.endswith("+"):
        raise PermanentError(
            f"{merge_request.where}: {counted} files are changed, more than GitLab lists",
            advice="split the change, or have an administrator raise GitLab's diff limits",
        )
    if (counted or "0") != str(len(files)):
        raise TornFacts(f"{merge_request.where}: {counted or 'no'} files are changed, but {len(files)} are listed")
    if len({(file.text("old_path"), file.text("new_path"), file.flag("deleted_file")) for file in files}) != len(files):
        raise TornFacts(f"{merge_request.where}: the same file is listed twice, so a page moved while it was read")


def check_commits(merge_request: Document, base: str, head: str, commits: Sequence[Document], seen: Mapping[str, Document]) -> None:
    """The head comes first, every other commit is the parent of one before it, and GraphQL tells of the same commits."""
    where = merge_request.where
    if (commits[0].text("id") if commits else base) != head:
        raise TornFacts(f"{where}: the head is {head[:12]}, but the commits listed do not begin with it")
    known = {head}
    for commit in commits:
        if commit.text("id") not in known:
            raise TornFacts(f"{where}: the commit {commit.text('id')[:12]} is listed, but does not belong to the head {head[:12]}")
        known.update(commit.texts("parent_ids"))
    listed = [commit.text("id") for commit in commits]
    if len(set(listed)) != len(listed) or set(listed) != seen.keys():
        raise TornFacts(f"{where}: two lists of its commits differ: {len(listed)} and {len(seen)}")


def check_not_before(merge_request: Document, commits: Sequence[Document], event: ChangeEvent | None) -> None:
    """Raises TornFacts if the facts are older than the event that asked for them. Deliveries tell whole seconds."""
    if event is None:
        return
    updated = merge_request.time("updated_at")
    if event.updated_at is not None and updated < event.updated_at:
        raise TornFacts(f"{merge_request.where}: updated at {updated.isoformat()}, but an event tells of {event.updated_at.isoformat()}")
    known = {merge_request.text("sha"), *(commit.text("id") for commit in commits)}
    newer = event.updated_at is not None and updated > event.updated_at
    if event.head_sha is not None and event.head_sha not in known and not newer:
        raise TornFacts(f"{merge_request.where}: an event tells of the head {event.head_sha[:12]}, which is not there yet")
