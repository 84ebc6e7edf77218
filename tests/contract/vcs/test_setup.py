"""The gate is put up once however often it is asked for, and every way round it is found."""

from __future__ import annotations

import pytest

from providers.errors import NotFound, PermanentError
from providers.vcs import Applied, Forge, ForgeSetup, Gap, MergeMethod, Status, StatusState
from tests.contract.vcs.stages import Stage
from tests.contract.vcs.test_acting import merged

pytestmark = pytest.mark.anyio

HOOK = "http://127.0.0.1:9/webhooks/exam"


async def gaps(setup: ForgeSetup, repository: str, branch: str = "main", context: str = "admit/main") -> set[Gap]:
    found = await setup.audit(repository, branch, context)
    assert all(finding.message and finding.advice for finding in found)
    return {finding.gap for finding in found}


def existing_on(stage: Stage, gap: Gap) -> None:
    """Not every forge has every way round."""
    if gap not in stage.gaps:
        pytest.skip(f"there is no '{gap}' on this forge")


async def test_an_unprotected_branch_is_a_gap(stage: Stage, setup: ForgeSetup) -> None:
    """Nothing asks for the status there."""
    assert await gaps(setup, stage.repository()) == {Gap.STATUS_NOT_REQUIRED}


async def test_requiring_twice_changes_nothing_the_second_time(stage: Stage, setup: ForgeSetup) -> None:
    """What stays open is who else may merge, until that is asked for too."""
    repository = stage.repository()

    applied = [await setup.require(repository, "main", "admit/main") for _ in range(2)]
    before = await gaps(setup, repository)
    applied += [await setup.require(repository, "main", "admit/main", only_gateway_merges=True) for _ in range(2)]

    assert applied == [Applied.CREATED, Applied.UNCHANGED, Applied.UPDATED, Applied.UNCHANGED]
    assert before == {Gap.OTHERS_MAY_MERGE}
    assert await gaps(setup, repository) == set()


async def test_a_second_status_joins_the_first(stage: Stage, setup: ForgeSetup) -> None:
    """Both are required then."""
    repository = stage.repository()
    await setup.require(repository, "main", "admit/main", only_gateway_merges=True)
    assert await setup.require(repository, "main", "admit/other") is Applied.UPDATED

    assert await gaps(setup, repository, context="admit/main") == set()
    assert await gaps(setup, repository, context="admit/other") == set()


@pytest.mark.parametrize(
    "gap",
    [
        Gap.STATUS_NOT_REQUIRED,
        Gap.ADMINS_EXEMPT,
        Gap.PUSHES_ALLOWED,
        Gap.FORCE_PUSHES_ALLOWED,
        Gap.MANUAL_MERGE,
        Gap.OTHERS_MAY_MERGE,
        Gap.FILES_UNPROTECTED,
    ],
)
async def test_each_way_round_is_found(stage: Stage, setup: ForgeSetup, gap: Gap) -> None:
    """The one an administrator opened, and no other."""
    existing_on(stage, gap)
    repository = stage.repository()
    await setup.require(repository, "main", "admit/main", only_gateway_merges=True)
    stage.loosen(repository, "main", gap)

    assert gap in await gaps(setup, repository)
    assert await gaps(setup, repository) <= {gap, *({Gap.PUSHES_ALLOWED} if gap is Gap.FORCE_PUSHES_ALLOWED else set())}


@pytest.mark.parametrize("gap", [Gap.STATUS_NOT_REQUIRED, Gap.ADMINS_EXEMPT, Gap.PUSHES_ALLOWED, Gap.MANUAL_MERGE])
async def test_requiring_again_closes_what_was_opened(stage: Stage, setup: ForgeSetup, gap: Gap) -> None:
    """Drift is repaired by the same command that put the gate up."""
    existing_on(stage, gap)
    repository = stage.repository()
    await setup.require(repository, "main", "admit/main", only_gateway_merges=True)
    stage.loosen(repository, "main", gap)

    assert await setup.require(repository, "main", "admit/main", only_gateway_merges=True) is Applied.UPDATED
    assert await gaps(setup, repository) == set()


async def test_the_required_status_holds_a_merge_back(stage: Stage, forge: Forge, setup: ForgeSetup) -> None:
    """Until it says success; a pending one and somebody else's name do not count."""
    repository = stage.repository()
    await setup.require(repository, "main", "admit/main", only_gateway_merges=True)
    sha = stage.push(repository, "feature", {"a.txt": "a\n"})
    key = stage.open_change(repository, "feature")
    stage.settle(key)

    for context, state in (("admit/main", StatusState.PENDING), ("admit/release", StatusState.SUCCESS)):
        await forge.report(repository, sha, Status(context=context, state=state, description="", target_url="http://gate.test/"))
        with pytest.raises(PermanentError):
            await merged(forge, key, sha)
    success = Status(context="admit/main", state=StatusState.SUCCESS, description="", target_url="http://gate.test/")
    await forge.report(repository, sha, success)
    landed = await merged(forge, key, sha, MergeMethod.MERGE)

    change = await forge.read_change(key)
    assert (change.merged_sha, change.base.protected) == (landed, True)


async def test_each_branch_requires_its_own_status(stage: Stage, setup: ForgeSetup) -> None:
    """A status of one branch says nothing for another, also where the branch's name has a slash."""
    repository = stage.repository()
    stage.branch(repository, "release/1.0")
    await setup.require(repository, "main", "admit/main", only_gateway_merges=True)
    await setup.require(repository, "release/1.0", "admit/release/1.0", only_gateway_merges=True)

    assert await gaps(setup, repository, "release/1.0", "admit/release/1.0") == set()
    assert await gaps(setup, repository, "release/1.0", "admit/main") == {Gap.STATUS_NOT_REQUIRED}


async def test_a_webhook_is_there_once_with_the_last_secret(stage: Stage, setup: ForgeSetup) -> None:
    """However often it is registered."""
    repository = stage.repository()
    missing = await setup.audit_webhook(repository, HOOK)
    applied = [await setup.register_webhook(repository, HOOK, secret) for secret in ("one", "two")]

    assert [finding.gap for finding in missing] == [Gap.HOOK_MISSING]
    assert applied == [Applied.CREATED, Applied.UPDATED]
    assert await setup.audit_webhook(repository, HOOK) == []
    assert [finding.gap for finding in await setup.audit_webhook(repository, HOOK + "/other")] == [Gap.HOOK_MISSING]


async def test_a_webhook_without_a_secret_is_not_made(stage: Stage, setup: ForgeSetup) -> None:
    """Nothing it sends could be trusted."""
    repository = stage.repository()
    with pytest.raises(ValueError, match="secret"):
        await setup.register_webhook(repository, HOOK, "")
    assert [finding.gap for finding in await setup.audit_webhook(repository, HOOK)] == [Gap.HOOK_MISSING]


async def test_a_repository_that_is_not_there_is_not_found(setup: ForgeSetup) -> None:
    """By any of the calls."""
    with pytest.raises(NotFound):
        await setup.require("acme/nowhere", "main", "admit/main")
    with pytest.raises(NotFound):
        await setup.audit("acme/nowhere", "main", "admit/main")
    with pytest.raises(NotFound):
        await setup.register_webhook("acme/nowhere", HOOK, "secret")
