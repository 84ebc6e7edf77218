"""Statuses and merges: what the gateway does on a forge."""

from __future__ import annotations

import asyncio

import pytest

from providers.errors import Conflict, NotFound, PermanentError, TemporaryError, Unsupported
from providers.vcs import ChangeKey, ChangeState, Forge, MergeMethod, Status, StatusState
from tests.contract.vcs.stages import Stage

pytestmark = pytest.mark.anyio


def a_status(state: StatusState = StatusState.SUCCESS, **more: str) -> Status:
    values = {"context": "admit/main", "description": "2 policies passed", "target_url": "http://gate.test/decisions/1", **more}
    return Status(state=state, **values)


def a_change(stage: Stage, branch: str = "feature", repository: str | None = None) -> tuple[ChangeKey, str]:
    repository = repository or stage.repository()
    sha = stage.push(repository, branch, {f"{branch}.txt": "a\n"})
    return stage.open_change(repository, branch), sha


async def merged(forge: Forge, key: ChangeKey, head_sha: str, method: MergeMethod = MergeMethod.MERGE) -> str:
    """Merge, trying again while the forge says that trying again may help."""
    for _ in range(60):
        try:
            return await forge.merge(key, head_sha=head_sha, method=method)
        except TemporaryError:
            await asyncio.sleep(0.5)
    raise AssertionError("the forge did not settle")


@pytest.mark.parametrize("state", list(StatusState))
async def test_a_status_is_read_back_as_it_was_posted(stage: Stage, forge: Forge, state: StatusState) -> None:
    """And it is known to be ours."""
    key, sha = a_change(stage)
    status = a_status(state, description="é" * 140)
    await forge.report(key.repository, sha, status)

    found = await forge.reported(key.repository, sha, "admit/main")

    assert found is not None
    assert (found.status, found.ours) == (status, True)


async def test_the_newest_status_of_a_name_counts(stage: Stage, forge: Forge) -> None:
    """Posting again replaces, posting the same again is harmless, other names are left alone."""
    key, sha = a_change(stage)
    await forge.report(key.repository, sha, a_status(StatusState.PENDING))
    await forge.report(key.repository, sha, a_status(StatusState.SUCCESS))
    await forge.report(key.repository, sha, a_status(StatusState.SUCCESS))
    await forge.report(key.repository, sha, a_status(StatusState.FAILURE, context="admit/release"))

    found = await forge.reported(key.repository, sha, "admit/main")

    assert found is not None
    assert found.status == a_status(StatusState.SUCCESS)
    assert await forge.reported(key.repository, sha, "admit/other") is None


async def test_somebody_elses_status_of_our_name_is_not_ours(stage: Stage, forge: Forge) -> None:
    """A forgery is seen, and who made it."""
    key, sha = a_change(stage)
    await forge.report(key.repository, sha, a_status(StatusState.FAILURE))
    stage.post_status(key.repository, sha, "admit/main", "success", by="mallory")

    found = await forge.reported(key.repository, sha, "admit/main")

    assert found is not None
    assert (found.status.state, found.by, found.ours) == (StatusState.SUCCESS, "mallory", False)


async def test_a_status_on_an_unknown_commit_is_not_found(stage: Stage, forge: Forge) -> None:
    """Trying again will not help."""
    repository = stage.repository()
    with pytest.raises(NotFound):
        await forge.report(repository, "f" * 40, a_status())


@pytest.mark.parametrize("method", list(MergeMethod))
async def test_merging_lands_the_head(stage: Stage, forge: Forge, method: MergeMethod) -> None:
    """The answer is the commit the base has then."""
    key, sha = a_change(stage)
    stage.settle(key)
    if method not in stage.merge_methods:
        with pytest.raises(Unsupported):
            await forge.merge(key, head_sha=sha, method=method)
        return

    landed = await merged(forge, key, sha, method)

    change = await forge.read_change(key)
    assert (change.state, change.merged_sha, change.base.sha, change.head.sha) == (ChangeState.MERGED, landed, landed, sha)
    assert "feature.txt" in (await forge.read_folder(key.repository, "main", "")).files


async def test_merging_again_with_the_same_head_succeeds(stage: Stage, forge: Forge) -> None:
    """A retry after a lost answer finds what the first try did."""
    key, sha = a_change(stage)
    stage.settle(key)
    landed = await merged(forge, key, sha)

    assert await merged(forge, key, sha) == landed
    with pytest.raises(Conflict):
        await forge.merge(key, head_sha="f" * 40, method=MergeMethod.MERGE)


async def test_merging_twice_at_once_lands_once(stage: Stage, forge: Forge) -> None:
    """All that succeed name the same commit."""
    key, sha = a_change(stage)
    stage.settle(key)

    landed = await asyncio.gather(*(merged(forge, key, sha) for _ in range(3)))

    assert len(set(landed)) == 1
    assert landed[0] == (await forge.read_change(key)).base.sha


async def test_a_stale_head_is_not_merged(stage: Stage, forge: Forge) -> None:
    """Whoever pushed after the decision has not been judged."""
    key, judged = a_change(stage)
    stage.push(key.repository, "feature", {"hidden.txt": "h\n"})
    stage.settle(key)

    with pytest.raises(Conflict):
        await forge.merge(key, head_sha=judged, method=MergeMethod.MERGE)
    assert (await forge.read_change(key)).state is ChangeState.OPEN


async def test_a_closed_change_is_not_merged(stage: Stage, forge: Forge) -> None:
    """Not even with the right head."""
    key, sha = a_change(stage)
    stage.settle(key)
    stage.close_change(key)

    with pytest.raises(PermanentError):
        await forge.merge(key, head_sha=sha, method=MergeMethod.MERGE)
    assert (await forge.read_change(key)).state is ChangeState.CLOSED


async def test_a_draft_is_not_merged(stage: Stage, forge: Forge) -> None:
    """Its author says that it is not ready."""
    key, sha = a_change(stage)
    stage.settle(key)
    stage.edit(key, draft=True)

    with pytest.raises(PermanentError):
        await merged(forge, key, sha)
    assert (await forge.read_change(key)).state is ChangeState.OPEN


async def test_a_conflict_is_not_merged(stage: Stage, forge: Forge) -> None:
    """Both sides changed one file."""
    repository = stage.repository({"same.txt": "a\n"})
    sha = stage.push(repository, "feature", {"same.txt": "b\n"})
    key = stage.open_change(repository, "feature")
    stage.push(repository, "main", {"same.txt": "c\n"})

    with pytest.raises((Conflict, TemporaryError)):
        await forge.merge(key, head_sha=sha, method=MergeMethod.MERGE)
    assert (await forge.read_change(key)).state is ChangeState.OPEN


async def test_merging_what_is_not_there_is_not_found(stage: Stage, forge: Forge) -> None:
    """A number nobody has."""
    repository = stage.repository()
    with pytest.raises(NotFound):
        await forge.merge(ChangeKey(repository=repository, number=4711), head_sha="f" * 40, method=MergeMethod.MERGE)


async def test_a_probe_names_the_forge(stage: Stage, forge: Forge) -> None:
    """In one line."""
    said = await forge.probe()
    assert said
    assert "\n" not in said


async def test_the_own_account_is_known(forge: Forge) -> None:
    """What it reports is ours."""
    assert await forge.own_login() == "admit"


async def test_whoever_may_do_it_all_lacks_nothing(stage: Stage, forge: Forge) -> None:
    """The stage gives the account what it needs, and no more."""
    assert await forge.missing_rights(stage.repository()) == []
