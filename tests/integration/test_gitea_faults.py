"""Whatever goes wrong at whichever request, at whichever page: a fault, never a part of a change, and never a secret told.

A real Gitea stands behind a proxy that spoils one answer at a time. The change has two pages of everything that has pages.
"""

from __future__ import annotations

import asyncio
import logging
import re
import traceback
from collections.abc import AsyncIterator

import pytest

from providers.errors import AccessRefused, NotFound, PermanentError, ProviderError, RateLimited, TemporaryError, TornFacts, Unreachable
from providers.vcs import MAY_BE_LEFT_OUT, ChangeKey, MergeMethod, Status, StatusState
from providers.vcs.gitea import GiteaForge
from tests.servers.faulty_proxy import Fault, FaultyProxy, Request, faulty_proxy
from tests.servers.gitea import Project, Pull, session_gitea

pytestmark = pytest.mark.anyio

READ = [
    "/pulls/N",
    "/pulls/N/files?page=1",
    "/pulls/N/files?page=2",
    "/pulls/N/commits?page=1",
    "/pulls/N/commits?page=2",
    "/pulls/N/reviews?page=1",
    "/pulls/N/reviews?page=2",
    "/pulls/N/reviews/R/comments",
    "/issues/N/comments?page=1",
    "/commits/S/status?page=1",
    "/commits/S/status?page=2",
    "/branches/main",
    "/issues/N/dependencies?page=1",
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
    Fault.SILENCE: Unreachable,
    Fault.DRIPPING: Unreachable,
}
ONCE = {"/api/v1/user", "/git/blobs/S"}
"""Asked once for each connection, when it is first needed: who we are, and content that goes by its hash."""
LISTS = [name for name in READ if "page=" in name or name.endswith("R/comments")]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def place(request: Request) -> str:
    """A request's name in READ."""
    path, _, query = request.target.partition("?")
    path = re.sub(r"^/api/v1/repos/[^/]+/[^/]+", "", path)
    for pattern, name in ((r"(?<=/(?:pulls)/)\d+", "N"), (r"(?<=/issues/)\d+", "N"), (r"(?<=/reviews/)\d+", "R"), (r"[0-9a-f]{40}", "S")):
        path = re.sub(pattern, name, path)
    page = re.search(r"(?:^|&)(page=\d+)", query)
    return f"{path}?{page.group(1)}" if page else path


@pytest.fixture(scope="module")
def big_change() -> tuple[Project, Pull]:
    """Two pages of files, commits, reviews and statuses; a comment, a line comment, a dependency."""
    gitea = session_gitea()
    ana, bob = gitea.account("ana"), gitea.account("bob")
    project = gitea.fresh_repository(ana)
    project.collaborator(bob)
    project.write({"first.txt": "f\n"}, branch="first")
    first = project.open_pull("first")
    project.write({f"{number:02}.txt": "x\n" for number in range(51)}, branch="feature")
    sha = project.push_many("feature", 50)
    pull = project.open_pull("feature")
    project.review(pull, by=bob, event="COMMENT", comments=[{"path": "00.txt", "body": "why?", "new_position": 1}])
    for _ in range(50):
        project.review(pull, by=bob)
    for number in range(51):
        project.status(sha, f"ci/{number}", "success", by=bob)
    project.comment(pull, "hello", by=bob)
    dependency = {"owner": "ana", "repo": project.name, "index": first.number}
    project.call("POST", f"/issues/{pull.number}/dependencies", json=dependency)
    return project, pull


@pytest.fixture
async def proxy() -> AsyncIterator[FaultyProxy]:
    async with faulty_proxy(session_gitea().url) as proxy:
        yield proxy


@pytest.fixture
async def forge(proxy: FaultyProxy) -> AsyncIterator[GiteaForge]:
    forge = GiteaForge(connection="work", url=proxy.url, token=session_gitea().admin_token, timeout=240)
    yield forge
    await forge.close()


@pytest.fixture
def hasty(proxy: FaultyProxy) -> GiteaForge:
    return GiteaForge(connection="work", url=proxy.url, token=session_gitea().admin_token, timeout=1)


def key_of(big_change: tuple[Project, Pull]) -> ChangeKey:
    project, pull = big_change
    return ChangeKey(repository=project.full_name, number=pull.number)


def told(problem: BaseException) -> str:
    """All a log or a page could show of an exception: the whole chain, messages, advice and where it happened."""
    return "".join(traceback.format_exception(problem)) + repr(problem) + str(getattr(problem, "advice", ""))


async def test_the_table_names_every_request(proxy: FaultyProxy, forge: GiteaForge, big_change: tuple[Project, Pull]) -> None:
    """Through the proxy the change is whole; the pull request is read first and last."""
    change = await forge.read_change(key_of(big_change))

    places = [place(request) for request in proxy.requests]
    assert sorted({*places}) == sorted(READ)
    assert (places[0], places[-1], places.count("/pulls/N")) == ("/pulls/N", "/pulls/N", 2)
    assert (len(change.files), len(change.commits), len(change.reviews), len(change.checks)) == (51, 51, 51, 51)
    assert (len(change.comments or ()), len(change.threads or ()), len(change.dependencies or ())) == (1, 1, 1)


SPARED = {
    "comments": (frozenset({"comments"}), {"/issues/N/comments?page=1"}),
    "threads": (frozenset({"threads"}), {"/pulls/N/reviews/R/comments"}),
    "reviews, whose list threads need": (frozenset({"reviews", "requested_reviewers"}), set[str]()),
    "all of it": (MAY_BE_LEFT_OUT, {name for name in READ if re.match("/pulls/N/reviews|/issues/N|/commits/S", name)}),
}


@pytest.mark.parametrize(("leave_out", "spared"), SPARED.values(), ids=SPARED)
async def test_what_is_left_out_is_not_asked_for(
    proxy: FaultyProxy, forge: GiteaForge, big_change: tuple[Project, Pull], leave_out: frozenset[str], spared: set[str]
) -> None:
    """Of all the requests only those are not made that nothing else needs."""
    await forge.read_change(key_of(big_change), leave_out=leave_out)

    assert {*READ} - {place(request) for request in proxy.requests} == spared


async def test_a_typical_change_costs_nine_requests(proxy: FaultyProxy, forge: GiteaForge) -> None:
    """20 files, 3 reviews, 5 checks, 10 comments; one more request reports, and one lists a repository's open changes."""
    gitea = session_gitea()
    ana, bob = gitea.account("ana"), gitea.account("bob")
    project = gitea.fresh_repository(ana)
    project.collaborator(bob)
    sha = project.write({f"{number}.txt": "x\n" for number in range(20)}, branch="feature")
    pull = project.open_pull("feature")
    for number in range(10):
        project.comment(pull, f"comment {number}", by=bob)
        if number < 5:
            project.status(sha, f"ci/{number}", "success", by=bob)
        if number < 3:
            project.review(pull, by=bob)

    change = await forge.read_change(ChangeKey(repository=project.full_name, number=pull.number))
    read = len(proxy.requests)
    await forge.report(project.full_name, sha, Status(context="admit/main", state=StatusState.PENDING, description="", target_url=""))
    await forge.open_changes(project.full_name)

    assert (len(change.files), len(change.reviews), len(change.checks), len(change.comments or ())) == (20, 3, 5, 10)
    assert (read, len(proxy.requests)) == (9, 11)


@pytest.mark.parametrize("fault", [fault for fault in EXPECTED if fault not in (Fault.SILENCE, Fault.DRIPPING)])
async def test_each_request_spoiled_in_each_way(
    proxy: FaultyProxy, forge: GiteaForge, big_change: tuple[Project, Pull], fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    """One endpoint, one page: the whole reading fails, by the right name."""
    caplog.set_level(logging.DEBUG)
    for spoiled in READ:
        proxy.spoil = lambda request, spoiled=spoiled: fault if place(request) == spoiled else None
        with pytest.raises(EXPECTED[fault]) as raised:
            await forge.read_change(key_of(big_change))
        assert session_gitea().admin_token not in told(raised.value)
        if isinstance(raised.value, RateLimited):
            assert raised.value.retry_after == 7
    assert session_gitea().admin_token not in caplog.text


@pytest.mark.parametrize("fault", [Fault.SILENCE, Fault.DRIPPING])
@pytest.mark.parametrize("spoiled", ["/pulls/N", "/pulls/N/files?page=2", "/branches/main"])
async def test_a_server_that_does_not_come_to_an_end(
    proxy: FaultyProxy, hasty: GiteaForge, big_change: tuple[Project, Pull], fault: Fault, spoiled: str
) -> None:
    """Nothing is waited for without end, not even for a byte now and then."""
    proxy.spoil = lambda request: fault if place(request) == spoiled else None
    with pytest.raises(Unreachable):
        await asyncio.wait_for(hasty.read_change(key_of(big_change)), timeout=240)
    await hasty.close()


@pytest.mark.parametrize("fault", [Fault.NO_COUNT, Fault.SHORT_PAGE])
async def test_a_list_that_is_shorter_than_it_says(
    proxy: FaultyProxy, forge: GiteaForge, big_change: tuple[Project, Pull], fault: Fault
) -> None:
    """One item missing on one page is a fault; so is a list of which nobody says how long it is."""
    for spoiled in LISTS:
        if fault is Fault.NO_COUNT and spoiled.endswith("R/comments"):
            continue  # this one never has a count; the review says how long it is
        if fault is Fault.SHORT_PAGE and "/reviews?" in spoiled:
            continue  # Gitea counts drafts of others it does not list: a short page is what it really sends
        proxy.spoil = lambda request, spoiled=spoiled: fault if place(request) == spoiled else None
        with pytest.raises(TemporaryError):
            await forge.read_change(key_of(big_change))


async def test_a_token_revoked_in_mid_read(proxy: FaultyProxy, forge: GiteaForge, big_change: tuple[Project, Pull]) -> None:
    """After any number of requests: refused, or the change had been read whole by then."""
    whole = await forge.read_change(key_of(big_change))
    needed = len(proxy.requests)
    for allowed in range(needed + 1):
        async with faulty_proxy(session_gitea().url) as fresh:  # what a refused reading still has on its way is the old proxy's
            fresh.spoil = lambda request, allowed=allowed: None if request.number < allowed else Fault.UNAUTHORIZED
            anew = GiteaForge(connection="work", url=fresh.url, token=session_gitea().admin_token, timeout=240)
            if allowed == needed:
                assert await anew.read_change(key_of(big_change)) == whole
            else:
                with pytest.raises(AccessRefused):
                    await anew.read_change(key_of(big_change))
            await anew.close()


async def test_a_change_that_moves_between_two_pages_is_read_again(
    proxy: FaultyProxy, forge: GiteaForge, big_change: tuple[Project, Pull]
) -> None:
    """A label set while files are read: the second reading sees it, and nothing else is missing."""
    project, pull = big_change
    moved = False

    def move(request: Request) -> None:
        nonlocal moved
        if place(request) == "/pulls/N/files?page=2" and not moved:
            moved = True
            project.label(pull, "moved")

    proxy.spoil = move
    change = await forge.read_change(key_of(big_change))
    project.label(pull)

    assert moved
    assert (change.labels, len(change.files)) == (("moved",), 51)
    assert [place(request) for request in proxy.requests].count("/pulls/N") == 4


@pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.CUT_JSON, Fault.FORBIDDEN, Fault.NOT_FOUND, Fault.HTML])
async def test_folders_lists_and_statuses_fail_as_a_whole(
    proxy: FaultyProxy, forge: GiteaForge, big_change: tuple[Project, Pull], fault: Fault
) -> None:
    """Each request of each of the other readings, spoiled in turn."""
    project, _ = big_change
    sha = str(project.branch_sha("feature"))
    readings = (
        lambda: forge.read_folder(project.full_name, sha, ""),
        lambda: forge.open_changes(project.full_name),
        lambda: forge.repositories(["ana/**"]),
        lambda: forge.reported(project.full_name, sha, "ci/1"),
        lambda: forge.summary(key_of(big_change)),
        lambda: forge.probe(),
    )
    asked = []  # before anything is spoiled: what a failed reading still has on its way would be counted as the next one's
    for reading in readings:
        proxy.requests.clear()
        await reading()
        asked.append({place(request) for request in proxy.requests[:6]} - ONCE)
    for reading, places in zip(readings, asked, strict=True):
        for spoiled in places:
            proxy.spoil = lambda request, spoiled=spoiled: fault if place(request) == spoiled else None
            with pytest.raises(EXPECTED[fault]) as raised:
                await reading()
            assert session_gitea().admin_token not in told(raised.value)


@pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.CUT_JSON, Fault.FORBIDDEN, Fault.NOT_FOUND, Fault.HTML])
async def test_a_file_that_cannot_be_read_fails_its_folder(
    proxy: FaultyProxy, forge: GiteaForge, big_change: tuple[Project, Pull], fault: Fault
) -> None:
    """Never a folder without it; and afterwards the folder is whole."""
    project, _ = big_change
    sha = str(project.branch_sha("feature"))
    proxy.spoil = lambda request: fault if place(request) == "/git/blobs/S" else None
    with pytest.raises(EXPECTED[fault]):
        await forge.read_folder(project.full_name, sha, "")
    proxy.spoil = lambda _: None
    assert (await forge.read_folder(project.full_name, sha, "")).files


async def test_a_merge_whose_answer_is_lost_is_found_out(proxy: FaultyProxy, forge: GiteaForge) -> None:
    """The merge happened, its answer was a 500, HTML or silence: what the forge then says counts."""
    for fault in (Fault.SERVER_ERROR, Fault.CUT_CONNECTION, Fault.MOVED):
        project, key, sha = small_change()
        proxy.spoil = lambda request, fault=fault: fault if request.target.endswith("/merge") else None

        landed = await forge.merge(key, head_sha=sha, method=MergeMethod.MERGE)

        assert landed == project.branch_sha("main")


async def test_a_merge_that_never_arrived_is_not_taken_for_one(proxy: FaultyProxy, forge: GiteaForge) -> None:
    """Neither when asking what became of it fails too."""
    project, key, sha = small_change()
    project.edit(Pull(number=key.number, url=""), state="closed")
    proxy.spoil = lambda request: Fault.SERVER_ERROR if request.target.endswith("/merge") else None
    with pytest.raises(PermanentError, match="closed"):
        await forge.merge(key, head_sha=sha, method=MergeMethod.MERGE)

    project.edit(Pull(number=key.number, url=""), state="open")
    proxy.spoil = lambda _: Fault.SERVER_ERROR
    with pytest.raises(TemporaryError):
        await forge.merge(key, head_sha=sha, method=MergeMethod.MERGE)


async def test_a_report_whose_answer_is_lost_is_tried_again(proxy: FaultyProxy, forge: GiteaForge) -> None:
    """The commit is there, so it is the server that failed; posting once more is harmless."""
    project, _, sha = small_change()
    status = Status(context="admit/main", state=StatusState.FAILURE, description="d", target_url="http://gate.test/")
    proxy.spoil = lambda request: Fault.SERVER_ERROR if request.method == "POST" else None
    with pytest.raises(Unreachable):
        await forge.report(project.full_name, sha, status)
    proxy.spoil = lambda _: None
    await forge.report(project.full_name, sha, status)

    found = await forge.reported(project.full_name, sha, "admit/main")
    assert found is not None
    assert found.status == status


async def test_the_token_goes_nowhere_but_into_its_header(
    proxy: FaultyProxy, forge: GiteaForge, big_change: tuple[Project, Pull], caplog: pytest.LogCaptureFixture
) -> None:
    """Not into an address, a body, a log; and no redirect carries it elsewhere."""
    caplog.set_level(logging.DEBUG)
    project, _ = big_change
    token = session_gitea().admin_token
    await forge.read_change(key_of(big_change))
    await forge.probe()
    status = Status(context="admit/main", state=StatusState.PENDING, description="d", target_url="http://gate.test/")
    await forge.report(project.full_name, str(project.branch_sha("feature")), status)

    assert all(request.headers["authorization"] == f"token {token}" for request in proxy.requests)
    assert not [request for request in proxy.requests if token in request.target or token.encode() in request.body]
    assert token not in caplog.text
    assert token not in repr(forge) + str(vars(forge).keys())


async def test_a_server_that_tells_the_token_is_not_quoted(proxy: FaultyProxy) -> None:
    """What a server gives as its reason is shown to people, but for the token in it."""
    forge = GiteaForge(connection="work", url=session_gitea().url, token="canary-token-4711", timeout=240)
    with pytest.raises(AccessRefused) as refused:
        await forge.probe()
    await forge.close()
    assert "canary" not in told(refused.value)


@pytest.mark.parametrize(("token", "url"), [("two words", ""), ("line\nbreak", ""), ("", ""), ("canary", "http://user:canary@host")])
def test_credentials_that_would_leak_are_refused_at_once(token: str, url: str) -> None:
    """A header value with a line break would be quoted by the HTTP library; a URL is logged by everybody."""
    with pytest.raises(ValueError, match="expected") as refused:
        GiteaForge(connection="work", url=url or "http://gitea.test", token=token)
    assert "canary" not in str(refused.value)
    assert not token or token not in str(refused.value)


def small_change() -> tuple[Project, ChangeKey, str]:
    gitea = session_gitea()
    project = gitea.fresh_repository(gitea.account("ana"))
    sha = project.write({"a.txt": "a\n"}, branch="feature")
    pull = project.open_pull("feature")
    project.wait_mergeable(pull)
    return project, ChangeKey(repository=project.full_name, number=pull.number), sha
