"""Whatever goes wrong at whichever request of GitLab's, at whichever page: a fault, never a part of a change, never a secret.

The loopback GitLab stands behind a proxy that spoils one answer at a time. The change has two pages of what has pages.
"""

from __future__ import annotations

import asyncio
import logging
import re
import traceback
from collections.abc import AsyncIterator, Iterator

import pytest

from providers.errors import AccessRefused, NotFound, ProviderError, RateLimited, TemporaryError, TornFacts, Unreachable
from providers.vcs import MAY_BE_LEFT_OUT, ChangeKey, MergeMethod, Role, Status, StatusState
from providers.vcs.gitlab import GitLabForge, reading
from tests.servers.faulty_proxy import Fault, FaultyProxy, Request, faulty_proxy
from tests.servers.gitlab import GitLab, running_gitlab, ticking_forge

pytestmark = pytest.mark.anyio

PROJECT = "acme/group/web"
KEY = ChangeKey(repository=PROJECT, number=1)
READ = [
    "/merge_requests/N",
    "/merge_requests/N/diffs 1",
    "/merge_requests/N/diffs 2",
    "/repository/commits 1",
    "/repository/commits 2",
    "/graphql",
    "/repository/branches/main",
    "/repository/merge_base",
    "/merge_requests/N/approvals",
    "/merge_requests/N/reviewers 1",
    "/merge_requests/N/versions 1",
    "/merge_requests/N/discussions 1",
    "/merge_requests/N/discussions 2",
    "/repository/commits/S/statuses 1",
    "/repository/commits/S/statuses 2",
    "/merge_requests/N/blocks 1",
]
"""Every request of one reading, each of which is spoiled in turn; a test checks that there are no others."""
EXPECTED: dict[Fault, type[ProviderError] | tuple[type[ProviderError], ...]] = {
    Fault.SERVER_ERROR: Unreachable,
    Fault.FORBIDDEN: AccessRefused,
    Fault.RATE_LIMITED: RateLimited,
    Fault.TOO_MANY: RateLimited,
    Fault.UNAUTHORIZED: AccessRefused,
    Fault.NOT_FOUND: NotFound,
    Fault.MOVED: Unreachable,
    Fault.HTML: Unreachable,
    Fault.CUT_JSON: Unreachable,
    Fault.CUT_CONNECTION: Unreachable,
    Fault.EMPTY_OBJECT: (Unreachable, TornFacts),
    Fault.NULL: (Unreachable, TornFacts),
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def gitlab() -> Iterator[GitLab]:
    """Two pages of files, commits, notes and statuses; an approval, a thread and a dependency."""
    forge = ticking_forge()
    with running_gitlab(forge=forge) as gitlab:
        forge.create_repository(PROJECT)
        forge.grant(PROJECT, "admit", Role.WRITER)
        for number in range(100):
            forge.push(PROJECT, "feature", {}, message=f"commit {number}")
        sha = forge.push(PROJECT, "feature", {f"{number:03}.txt": "x\n" for number in range(101)})
        key = forge.open_change(PROJECT, head="feature", by="ana")
        assert key == KEY
        first = forge.open_change(PROJECT, head="first", files={"first.txt": "f\n"})
        forge.approve(key, by="bob")
        forge.request_review(key, of="carol")
        forge.discuss(key, "000.txt", by="bob")
        forge.depend(key, first)
        for number in range(101):
            forge.comment(key, f"comment {number}", by="bob")
        gitlab.project(forge.world.repository(PROJECT)).statuses[sha] = [a_status(number, sha) for number in range(101)]
        yield gitlab
        assert not gitlab.violations, sorted(set(gitlab.violations))


def a_status(number: int, sha: str) -> dict[str, object]:
    author = {"id": 7, "username": "robot", "name": "robot", "state": "active"}
    place = {"name": f"ci/{number:03}", "ref": "feature", "pipeline_id": 1, "sha": sha, "author": author}
    return {"id": number + 1, **place, "status": "success", "description": None, "target_url": None, "allow_failure": False}


@pytest.fixture
async def proxy(gitlab: GitLab) -> AsyncIterator[FaultyProxy]:
    async with faulty_proxy(gitlab.url) as proxy:
        yield proxy


@pytest.fixture
def token(gitlab: GitLab) -> str:
    return gitlab.token("admit")


@pytest.fixture
async def forge(proxy: FaultyProxy, token: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[GitLabForge]:
    monkeypatch.setattr(reading, "PAUSES", (0.0, 0.0, 0.0))
    forge = GitLabForge(connection="work", url=proxy.url, token=token, timeout=240)
    yield forge
    await forge.close()


def place(request: Request) -> str:
    """A request's name in READ."""
    path, _, query = request.target.partition("?")
    path = path.removeprefix("/api/v4/projects/acme%2Fgroup%2Fweb").removeprefix("/api")
    path = re.sub(r"(?<=/merge_requests/)\d+", "N", re.sub(r"[0-9a-f]{40}", "S", path))
    page = re.search(r"(?:^|&)page=(\d+)", query)
    return f"{path} {page.group(1)}" if page else path


def told(problem: BaseException) -> str:
    """All a log or a page could show of an exception: the whole chain, messages, advice and where it happened."""
    return "".join(traceback.format_exception(problem)) + repr(problem) + str(getattr(problem, "advice", ""))


async def test_the_table_names_every_request(proxy: FaultyProxy, forge: GitLabForge) -> None:
    """Unspoiled the change is whole; merge request and branch are read first and last."""
    change = await forge.read_change(KEY)

    places = [place(request) for request in proxy.requests]
    assert sorted({*places}) == sorted(READ)
    assert (places[0], places.count("/merge_requests/N"), places.count("/repository/branches/main")) == ("/merge_requests/N", 2, 2)
    assert {*places[-2:]} == {"/merge_requests/N", "/repository/branches/main"}
    assert (len(change.files), len(change.commits), len(change.checks), len(change.comments or ())) == (101, 101, 101, 101)
    assert (len(change.reviews), len(change.requested_reviewers), len(change.threads or ()), len(change.dependencies or ())) == (1, 1, 1, 1)


SPARED = {
    "checks": (frozenset({"checks"}), {"/repository/commits/S/statuses 1", "/repository/commits/S/statuses 2"}),
    "reviews": (frozenset({"reviews"}), {"/merge_requests/N/approvals", "/merge_requests/N/versions 1"}),
    "comments, whose list others need": (frozenset({"comments"}), set[str]()),
    "all of it": (MAY_BE_LEFT_OUT, {name for name in READ if re.match("/merge_requests/N/(?!diffs)|/repository/commits/S", name)}),
}


@pytest.mark.parametrize(("leave_out", "spared"), SPARED.values(), ids=SPARED)
async def test_what_is_left_out_is_not_asked_for(
    proxy: FaultyProxy, forge: GitLabForge, leave_out: frozenset[str], spared: set[str]
) -> None:
    """Of all the requests only those are not made that nothing else needs."""
    await forge.read_change(KEY, leave_out=leave_out)

    assert {*READ} - {place(request) for request in proxy.requests} == spared


@pytest.mark.parametrize("fault", EXPECTED)
async def test_each_request_spoiled_in_each_way(
    proxy: FaultyProxy, forge: GitLabForge, token: str, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    """One endpoint, one page: the whole reading fails, by the right name."""
    caplog.set_level(logging.DEBUG)
    for spoiled in READ:
        proxy.spoil = lambda request, spoiled=spoiled: fault if place(request) == spoiled else None
        with pytest.raises(EXPECTED[fault]) as raised:
            await forge.read_change(KEY)
        assert token not in told(raised.value)
        if isinstance(raised.value, RateLimited):
            assert raised.value.retry_after == 7
    assert token not in caplog.text


async def test_a_list_that_lost_an_item(proxy: FaultyProxy, forge: GitLabForge) -> None:
    """One item missing on one page is a fault, whether GitLab counts that list or not."""
    for spoiled in (name for name in READ if name[-2:] in (" 1", " 2")):
        proxy.spoil = lambda request, spoiled=spoiled: Fault.SHORT_PAGE if place(request) == spoiled else None
        with pytest.raises(TemporaryError):
            await forge.read_change(KEY)


async def test_a_list_that_does_not_say_whether_it_goes_on(proxy: FaultyProxy, forge: GitLabForge) -> None:
    """Without X-Next-Page there may be more."""
    for spoiled in (name for name in READ if name.endswith(" 1")):
        proxy.spoil = lambda request, spoiled=spoiled: Fault.NO_COUNT if place(request) == spoiled else None
        with pytest.raises(Unreachable):
            await forge.read_change(KEY)


@pytest.mark.parametrize("fault", [Fault.SILENCE, Fault.DRIPPING])
@pytest.mark.parametrize("spoiled", ["/merge_requests/N", "/merge_requests/N/diffs 2", "/graphql"])
async def test_a_server_that_does_not_come_to_an_end(proxy: FaultyProxy, token: str, fault: Fault, spoiled: str) -> None:
    """Nothing is waited for without end, not even for a byte now and then."""
    hasty = GitLabForge(connection="work", url=proxy.url, token=token, timeout=1)
    proxy.spoil = lambda request: fault if place(request) == spoiled else None
    with pytest.raises(Unreachable):
        await asyncio.wait_for(hasty.read_change(KEY), timeout=240)
    await hasty.close()


async def test_a_token_revoked_in_mid_read(proxy: FaultyProxy, forge: GitLabForge, gitlab: GitLab, token: str) -> None:
    """After any number of requests: refused, or the change had been read whole by then."""
    whole = await forge.read_change(KEY)
    needed = len(proxy.requests)
    for allowed in range(needed + 1):
        async with faulty_proxy(gitlab.url) as fresh:  # what a refused reading still has on its way is the old proxy's
            fresh.spoil = lambda request, allowed=allowed: None if request.number < allowed else Fault.UNAUTHORIZED
            anew = GitLabForge(connection="work", url=fresh.url, token=token, timeout=240)
            if allowed == needed:
                assert await anew.read_change(KEY) == whole
            else:
                with pytest.raises(AccessRefused):
                    await anew.read_change(KEY)
            await anew.close()


async def test_a_change_that_moves_while_it_is_read_is_read_again(proxy: FaultyProxy, forge: GitLabForge, gitlab: GitLab) -> None:
    """A label set, or the target branch moved, between two pages: the second reading sees it, and nothing is missing."""
    acts = [lambda: gitlab.forge.label(KEY, "moved"), lambda: gitlab.forge.push(PROJECT, "main", {"other.txt": "o\n"})]
    for act in acts:
        proxy.requests.clear()
        moved = False

        def move(request: Request, act=act) -> None:
            nonlocal moved
            if place(request) == "/merge_requests/N/discussions 2" and not moved:
                moved = True
                act()

        proxy.spoil = move
        change = await forge.read_change(KEY)

        assert (change.labels, len(change.files), moved) == (("moved",), 101, True)
        assert [place(request) for request in proxy.requests].count("/merge_requests/N") == 4


@pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.CUT_JSON, Fault.FORBIDDEN, Fault.HTML])
async def test_folders_lists_people_and_statuses_fail_as_a_whole(
    proxy: FaultyProxy, forge: GitLabForge, gitlab: GitLab, fault: Fault
) -> None:
    """Each request of each of the other readings, spoiled in turn."""
    sha = gitlab.forge.world.repository(PROJECT).branches["first"]
    gitlab.project(gitlab.forge.world.repository(PROJECT)).checks[:] = []
    await forge.own_login()
    readings = (
        lambda: forge.read_folder(PROJECT, sha, ""),
        lambda: forge.open_changes(PROJECT),
        lambda: forge.repositories(["acme/**"]),
        lambda: forge.reported(PROJECT, sha, "ci/1"),
        lambda: forge.summary(KEY),
        lambda: forge.probe(),
        lambda: forge.members(PROJECT),
        lambda: forge.missing_rights(PROJECT),
        lambda: forge.budget(),
    )
    asked = []  # before anything is spoiled: what a failed reading still has on its way would be counted as the next one's
    for read in readings:
        proxy.requests.clear()
        await read()
        asked.append({place(request) for request in proxy.requests})
    for read, places in zip(readings, asked, strict=True):
        for spoiled in places:
            proxy.spoil = lambda request, spoiled=spoiled: fault if place(request) == spoiled else None
            with pytest.raises(ProviderError):
                await read()


async def test_a_tree_that_is_not_found_is_no_empty_folder(proxy: FaultyProxy, forge: GitLabForge, gitlab: GitLab) -> None:
    """Only GitLab's own words for a folder that is not there mean that there are no files."""
    proxy.spoil = lambda request: Fault.NOT_FOUND if "/repository/tree" in request.target else None
    with pytest.raises(NotFound):
        await forge.read_folder(PROJECT, "main", ".admit")


@pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.HTML, Fault.CUT_JSON, Fault.TOO_MANY])
async def test_a_report_that_failed_says_so(proxy: FaultyProxy, forge: GitLabForge, gitlab: GitLab, fault: Fault) -> None:
    """Whichever of its requests it was; and once more it succeeds."""
    sha = gitlab.forge.world.change(KEY).head_sha
    status = Status(context="admit/main", state=StatusState.SUCCESS, description="", target_url="http://gate.test/")
    proxy.spoil = lambda _: None
    await forge.report(PROJECT, sha, status)
    for spoiled in {place(request) for request in proxy.requests}:
        proxy.spoil = lambda request, spoiled=spoiled: fault if place(request) == spoiled else None
        with pytest.raises(TemporaryError):
            await forge.report(PROJECT, sha, status)
    proxy.spoil = lambda _: None
    await forge.report(PROJECT, sha, status)


async def test_a_merge_whose_answer_was_lost_is_found_out(proxy: FaultyProxy, forge: GitLabForge, gitlab: GitLab) -> None:
    """GitLab merged, and its answer was cut: the next look at the merge request tells."""
    key = gitlab.forge.open_change(PROJECT, head="lost", files={"lost.txt": "l\n"})
    sha = gitlab.forge.world.change(key).head_sha
    proxy.spoil = lambda request: Fault.CUT_CONNECTION if request.method == "PUT" else None

    landed = await forge.merge(key, head_sha=sha, method=MergeMethod.MERGE)

    assert landed == gitlab.forge.world.repository(PROJECT).branches["main"]
