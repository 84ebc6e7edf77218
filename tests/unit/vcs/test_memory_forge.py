"""What only the memory forge does: deliveries to post, and bad weather to order."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from providers.errors import AccessRefused, Conflict, ProviderError, RateLimited, TornFacts, Unreachable
from providers.vcs import (
    BranchEvent,
    ChangeEvent,
    ChangeKey,
    ChangeState,
    DeliveryRefused,
    Event,
    MembersEvent,
    MergeMethod,
    Refusal,
    ReviewState,
    Role,
    StatusEvent,
)
from providers.vcs.memory import MemoryForge

pytestmark = pytest.mark.anyio

STILL = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def forge() -> MemoryForge:
    """A forge with `acme/web` and an open change of ana's; its clock stands still, and nothing waits in its outbox."""
    forge = MemoryForge(connection="demo", webhook_secrets=["new", "old"], clock=lambda: STILL)
    forge.create_repository("acme/web")
    forge.open_change("acme/web", head="feature", files={"a.txt": "a\n"}, by="ana")
    forge.outbox()
    return forge


KEY = ChangeKey(repository="acme/web", number=1)


def events(forge: MemoryForge) -> list[Event]:
    return [forge.parse_delivery(pending.headers, pending.body).event for pending in forge.outbox()]


ACTS: dict[str, Any] = {
    "change.synchronized": lambda f: f.push("acme/web", "feature", {"b.txt": "b\n"}),
    "change.review_approved": lambda f: f.approve(KEY, by="bob"),
    "change.review_changes_requested": lambda f: f.review(KEY, by="bob", state=ReviewState.CHANGES_REQUESTED),
    "change.review_dismissed": lambda f: f.dismiss(KEY, of="bob"),
    "change.review_requested": lambda f: f.request_review(KEY, of="bob"),
    "change.labeled": lambda f: f.label(KEY, "bug"),
    "change.edited": lambda f: f.edit(KEY, title="new"),
    "change.commented": lambda f: f.comment(KEY, "hi", by="bob"),
    "change.discussed": lambda f: f.discuss(KEY, "a.txt", by="bob"),
    "change.retargeted": lambda f: f.retarget(KEY, "main"),
    "change.closed": lambda f: f.close_change(KEY),
    "change.merged": lambda f: f.merge_outside(KEY, by="bob"),
}


@pytest.mark.parametrize("what", ACTS)
async def test_each_act_sends_a_delivery_that_verifies(forge: MemoryForge, what: str) -> None:
    """Its event is never newer than the facts, even where the clock stands still."""
    before = (await forge.read_change(KEY)).updated_at
    ACTS[what](forge)

    (event,) = [event for event in events(forge) if isinstance(event, ChangeEvent)]
    change = await forge.read_change(KEY, not_before=event)

    assert (event.key, event.what, event.head_sha) == (KEY, what, change.head.sha)
    assert event.updated_at == change.updated_at > before
    assert forge.outbox() == []


def test_pushes_and_statuses_send_theirs(forge: MemoryForge) -> None:
    """A push to the target branch, a new status, a branch that went."""
    sha = forge.push("acme/web", "main", {"README.md": "new\n"})
    forge.post_status("acme/web", sha, "ci/test", "failure", by="robot")
    forge.push("acme/web", "old")
    forge.delete_branch("acme/web", "old")

    pushed, status, _, deleted = events(forge)

    assert isinstance(pushed, BranchEvent)
    assert (pushed.branch, pushed.sha) == ("main", sha)
    assert isinstance(status, StatusEvent)
    assert (status.sha, status.context, status.by) == (sha, "ci/test", "robot")
    assert isinstance(deleted, BranchEvent)
    assert (deleted.branch, deleted.sha) == ("old", None)


def test_silence_sends_nothing(forge: MemoryForge) -> None:
    """As some events of real forges."""
    with forge.silently():
        forge.approve(KEY, by="bob")
    assert forge.outbox() == []


def test_a_delivery_is_signed_with_the_newest_secret_and_no_other_bytes_pass(forge: MemoryForge) -> None:
    """One flipped bit anywhere is refused."""
    forge.label(KEY, "bug")
    (pending,) = forge.outbox()
    signature = pending.headers["X-Memory-Signature"]

    for position in range(len(pending.body)):
        flipped = bytearray(pending.body)
        flipped[position] ^= 1
        assert refusal(forge, pending.headers, bytes(flipped)) is Refusal.SIGNATURE_WRONG
    for position in range(len(signature)):
        changed = signature[:position] + chr(ord(signature[position]) ^ 1) + signature[position + 1 :]
        assert refusal(forge, {**pending.headers, "X-Memory-Signature": changed}, pending.body) is Refusal.SIGNATURE_WRONG
    assert refusal(MemoryForge(connection="demo", webhook_secrets=["old"]), pending.headers, pending.body) is Refusal.SIGNATURE_WRONG
    assert refusal(MemoryForge(connection="demo"), pending.headers, pending.body) is Refusal.SIGNATURE_MISSING
    assert refusal(forge, {**pending.headers, "X-Memory-Signature": ""}, pending.body) is Refusal.SIGNATURE_MISSING


def refusal(forge: MemoryForge, headers: Any, body: bytes) -> Refusal:
    with pytest.raises(DeliveryRefused) as refused:
        forge.parse_delivery(headers, body)
    return refused.value.refusal


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (lambda w, **more: w.down(**more), Unreachable),
        (lambda w, **more: w.rate_limited(**more), RateLimited),
        (lambda w, **more: w.refusing(**more), AccessRefused),
    ],
)
async def test_bad_weather_is_met_by_the_named_method(forge: MemoryForge, order: Any, expected: type[ProviderError]) -> None:
    """For as many calls as ordered; other methods see nothing of it."""
    order(forge.weather, method="read_change", times=2)
    await forge.summary(KEY)
    for _ in range(2):
        with pytest.raises(expected):
            await forge.read_change(KEY)
    assert (await forge.read_change(KEY)).number == 1


async def test_bad_weather_for_all_lasts_until_it_clears(forge: MemoryForge) -> None:
    """Every method of the port meets it."""
    forge.weather.down()
    sha = "f" * 40
    for call in (
        forge.read_change(KEY),
        forge.summary(KEY),
        forge.read_folder("acme/web", "main", ""),
        forge.open_changes("acme/web"),
        forge.repositories(["**"]),
        forge.reported("acme/web", sha, "x"),
        forge.merge(KEY, head_sha=sha, method=MergeMethod.MERGE),
        forge.probe(),
    ):
        with pytest.raises(Unreachable):
            await call
    forge.weather.clear()
    assert await forge.probe()


async def test_a_rate_limit_says_how_long_to_wait(forge: MemoryForge) -> None:
    """In seconds."""
    forge.weather.rate_limited("report", retry_after=42)
    with pytest.raises(RateLimited) as limited:
        await forge.report("acme/web", "f" * 40, status=None)  # type: ignore[arg-type]
    assert limited.value.retry_after == 42


async def test_torn_facts_heal_when_the_forge_comes_to_rest(forge: MemoryForge) -> None:
    """Three new starts are made; a fourth would be one too many."""
    forge.weather.torn(times=3)
    assert (await forge.read_change(KEY)).number == 1
    forge.weather.torn(times=4)
    with pytest.raises(TornFacts):
        await forge.read_change(KEY)


async def test_stale_facts_are_not_taken_for_the_events(forge: MemoryForge) -> None:
    """Without an event to compare with, a replica's old facts look like any other."""
    forge.push("acme/web", "feature", {"b.txt": "b\n"})
    event = events(forge)[0]
    assert isinstance(event, ChangeEvent)

    forge.weather.stale()
    assert len((await forge.read_change(KEY)).commits) == 1
    with pytest.raises(TornFacts):
        await forge.read_change(KEY, not_before=event)
    forge.weather.clear()
    forge.weather.stale(times=2)
    assert len((await forge.read_change(KEY, not_before=event)).commits) == 2


async def test_slow_is_late_and_nothing_else(forge: MemoryForge) -> None:
    """The answer is the same."""
    forge.weather.slow("read_change", seconds=0.05, times=1)
    begun = time.monotonic()
    assert (await forge.read_change(KEY)).number == 1
    assert time.monotonic() - begun >= 0.05


async def test_what_moves_while_it_is_read_is_read_again(forge: MemoryForge) -> None:
    """Others act between the two looks of a reading."""
    reading = asyncio.create_task(forge.read_change(KEY))
    await asyncio.sleep(0)
    forge.label(KEY, "late")

    assert (await reading).labels == ("late",)


async def test_merging_outside_goes_by_no_rule_but_git(forge: MemoryForge) -> None:
    """It is how a bypass is made; a conflict stops it all the same."""
    forge.push("acme/web", "main", {"a.txt": "other\n"})
    with pytest.raises(Conflict):
        forge.merge_outside(KEY, by="mallory")
    assert (await forge.read_change(KEY)).state is ChangeState.OPEN
    forge.push("acme/web", "feature", {"a.txt": "other\n"})
    forge.merge_outside(KEY, by="mallory")

    change = await forge.read_change(KEY)
    assert change.merged_by is not None
    assert (change.state, change.merged_by.login) == (ChangeState.MERGED, "mallory")


@pytest.mark.parametrize(
    ("what", "act"),
    [
        ("organization.member_added", lambda f: f.join("acme", "bob")),
        ("organization.member_removed", lambda f: f.leave("acme", "olga")),
        ("team.member_added", lambda f: f.join_team("acme", "builders", "bob")),
        ("team.member_removed", lambda f: f.leave_team("acme", "builders", "olga")),
        ("repository.member_changed", lambda f: f.grant("acme/web", "bob", Role.READER)),
        ("repository.team_changed", lambda f: f.grant_team("acme/web", "builders", Role.WRITER)),
    ],
)
def test_who_belongs_to_what_tells_of_itself(forge: MemoryForge, what: str, act: Any) -> None:
    """An event names the organisation or the repository, so that only that is read anew."""
    forge.create_organization("acme", owners=("olga",))
    forge.join_team("acme", "builders", "olga")
    forge.outbox()
    act(forge)

    [event] = events(forge)

    place = (
        {"organization": None, "repository": "acme/web"} if what.startswith("repository") else {"organization": "acme", "repository": None}
    )
    assert event == MembersEvent(**place, what=what)


async def test_who_left_an_organisation_is_in_none_of_its_teams(forge: MemoryForge) -> None:
    """Nor is an account that was deleted."""
    forge.create_organization("acme", owners=("olga", "mortal"))
    forge.join_team("acme", "builders", "olga", "bob", "mortal", maintainer=True)
    forge.leave("acme", "bob")
    forge.delete_account("mortal")

    told = await forge.teams("acme")

    assert [actor.login for actor in told.owners] == [actor.login for actor in told.members] == ["olga"]
    assert [[actor.login for actor in team.members] for team in told.teams] == [["olga"]]
    assert [[actor.login for actor in team.maintainers] for team in told.teams] == [["olga"]]
