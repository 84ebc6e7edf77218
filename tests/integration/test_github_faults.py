"""Whatever goes wrong at whichever request, at whichever page: a fault, never a part of a change, and never a secret told.

The loopback GitHub stands behind a proxy that spoils one answer at a time. The change has two pages of everything that has
pages, so that each of them is spoiled too.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime

import httpx
import pytest

from gateway.operations.own_policies import read_own_policies
from providers.errors import (
    AccessRefused,
    NotFound,
    PermanentError,
    ProviderError,
    RateLimited,
    TemporaryError,
    TornFacts,
    Unreachable,
)
from providers.vcs import MAY_BE_LEFT_OUT, ChangeKey, MergeMethod, Status, StatusState
from providers.vcs.github import AccessToken, App, GithubForge, GithubSetup
from providers.vcs.github.rights import EVENTS
from tests.servers.faulty_proxy import Fault, FaultyProxy, Request, faulty_proxy
from tests.servers.github import GithubServer, running_github
from tests.servers.github.rest_commits import add_run
from tests.servers.github.state import Identity

pytestmark = pytest.mark.anyio

APP_RIGHTS = {"checks": "write", "contents": "write", "metadata": "read", "pull_requests": "write", "statuses": "read"}
LISTS = ("labels", "commits", "reviews", "dismissals", "reviewRequests", "comments", "reviewThreads")
READ = [
    "GET /pulls/N",
    "GET /pulls/N/files page 1",
    "GET /pulls/N/files page 2",
    "query Change",
    *(f"query Next {name}" for name in LISTS),
    "query Checks",
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


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """What makes a reading start over is seen without waiting for it."""
    monkeypatch.setattr("providers.vcs.github.reading.PAUSES", (0.0, 0.0, 0.0))


@pytest.fixture(scope="module")
def github() -> Iterator[GithubServer]:
    with running_github() as github:
        yield github


@pytest.fixture(scope="module")
def big_change(github: GithubServer) -> ChangeKey:
    """Two pages of everything."""
    forge = github.forge
    repository = forge.create_repository("acme/big", {".admit/policy.rego": "package a\n", "picture": b"\x00\xff"}).name
    forge.push(repository, "feature", {f"{number:03}.txt": "x\n" for number in range(101)})
    for number in range(100):
        sha = forge.push(repository, "feature", {}, message=f"commit {number}")
    key = forge.open_change(repository, head="feature", labels=[f"label-{number:03}" for number in range(101)])
    for number in range(101):
        forge.review(key, by=f"reviewer-{number}")
        forge.dismiss(key, of=f"reviewer-{number}")
        forge.discuss(key, "000.txt", by="bob")
        forge.comment(key, f"comment {number}", by="bob")
        forge.request_review(key, of=f"asked-{number}")
        forge.post_status(repository, sha, f"ci/{number:03}", "success", by="robot")
    return key


@pytest.fixture
async def proxy(github: GithubServer) -> AsyncIterator[FaultyProxy]:
    async with faulty_proxy(github.url) as proxy:
        yield proxy


@pytest.fixture
async def forge(github: GithubServer, proxy: FaultyProxy) -> AsyncIterator[GithubForge]:
    forge = a_forge(proxy, github.token("admit"))
    yield forge
    await forge.close()


def a_forge(proxy: FaultyProxy, token: str, *, timeout: float = 60) -> GithubForge:
    return GithubForge(connection="work", url=proxy.url, credentials=AccessToken(token=token), timeout=timeout)


def place(request: Request) -> str:
    """A request's name in READ."""
    if request.target.endswith("/graphql"):
        asked = json.loads(request.body)
        name = re.search(r"query (\w+)", asked["query"])
        assert name is not None
        listed = next((one for one in LISTS if "after" in asked["variables"] and re.search(rf"\b{one}[(:]", asked["query"])), "")
        return f"query {name.group(1)} {listed if name.group(1) == 'Next' else ''}".strip()
    path, _, query = request.target.partition("?")
    path = re.sub(r"^/api/v3(/repos/[^/]+/[^/]+)?", "", path)
    path = re.sub(r"(?<=/pulls/)\d+", "N", re.sub(r"[0-9a-f]{40}", "S", path))
    page = re.search(r"(?:^|&)page=(\d+)", query)
    return f"{request.method} {path}" + (f" page {page.group(1)}" if page else "")


def told(problem: BaseException) -> str:
    """All a log or a page could show of an exception: the whole chain, messages, advice and where it happened."""
    return "".join(traceback.format_exception(problem)) + repr(problem) + str(getattr(problem, "advice", ""))


async def fault_of(call: Awaitable[object]) -> ProviderError | None:
    """What went wrong, if something did."""
    try:
        await call
    except ProviderError as problem:
        return problem
    return None


async def test_the_table_names_every_request(github: GithubServer, proxy: FaultyProxy, forge: GithubForge, big_change: ChangeKey) -> None:
    """Through the proxy the change is whole, and everything fitted GitHub's description."""
    change = await forge.read_change(big_change)

    assert sorted({place(request) for request in proxy.requests}) == sorted(READ)
    assert [len(part or ()) for part in (change.labels, change.files, change.commits, change.comments, change.threads)] == [101] * 5
    assert [len(part) for part in (change.reviews, change.requested_reviewers, change.checks)] == [202, 101, 101]
    assert sum(review.dismissed for review in change.reviews) == 101
    assert not github.violations, "\n".join(github.violations[:5])


SPARED = {
    "checks": (frozenset({"checks"}), {"query Checks"}),
    "reviews": (frozenset({"reviews"}), {"query Next reviews", "query Next dismissals"}),
    "all of it": (MAY_BE_LEFT_OUT, {name for name in READ if re.match("query (Next (?!labels|commits)|Checks)", name)}),
}


@pytest.mark.parametrize(("leave_out", "spared"), SPARED.values(), ids=SPARED)
async def test_what_is_left_out_is_not_asked_for(
    proxy: FaultyProxy, forge: GithubForge, big_change: ChangeKey, leave_out: frozenset[str], spared: set[str]
) -> None:
    """Of all the requests only those are not made that nothing else needs."""
    await forge.read_change(big_change, leave_out=leave_out)

    assert {*READ} - {place(request) for request in proxy.requests} == spared


async def test_a_typical_change_costs_three_requests(github: GithubServer, proxy: FaultyProxy, forge: GithubForge) -> None:
    """20 files, 3 reviews, 5 checks, 10 comments, and `.admit/` where it was. One more request reports; one, answered with
    304, finds nothing new."""
    people = github.forge
    repository = people.create_repository("acme/typical").name
    sha = people.push(repository, "feature", {f"{number}.txt": "x\n" for number in range(20)})
    key = people.open_change(repository, head="feature")
    for number in range(10):
        people.comment(key, f"comment {number}", by="bob")
        if number < 5:
            people.post_status(repository, sha, f"ci/{number}", "success", by="robot")
        if number < 3:
            people.review(key, by="bob")
    await forge.own_login()  # once for each connection
    await read_own_policies(forge, await forge.read_change(key))  # once for each commit of the target branch
    proxy.requests.clear()

    change = await forge.read_change(key)
    await read_own_policies(forge, change)
    read = len(proxy.requests)
    await forge.report(repository, sha, Status(context="admit/main", state=StatusState.PENDING, description="", target_url=""))
    reported = len(proxy.requests)
    first = await forge.open_changes(repository)
    again = await forge.open_changes(repository)

    assert (len(change.files), len(change.reviews), len(change.checks), len(change.comments or ())) == (20, 3, 5, 10)
    assert (read, reported - read, len(proxy.requests) - reported) == (3, 1, 2)
    assert first == again
    assert github.requests[-1].status == 304


async def test_a_folder_read_before_costs_one_conditional_request(
    github: GithubServer, proxy: FaultyProxy, forge: GithubForge, big_change: ChangeKey
) -> None:
    """What a commit holds does not change, so only where the branch points is asked."""
    first = await forge.read_folder(big_change.repository, "main", ".admit")
    proxy.requests.clear()
    again = await forge.read_folder(big_change.repository, "main", ".admit")

    assert first == again
    assert first.files == {"policy.rego": b"package a\n"}
    assert [place(request) for request in proxy.requests] == ["GET /git/ref/heads/main"]
    assert github.requests[-1].status == 304


@pytest.mark.parametrize("fault", list(EXPECTED))
async def test_each_request_spoiled_in_each_way(
    github: GithubServer, proxy: FaultyProxy, big_change: ChangeKey, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    """One endpoint, one page: the whole reading fails, by the right name, and the token is in none of what is said."""
    caplog.set_level(logging.DEBUG)
    token = github.token("admit")
    forge = a_forge(proxy, token)
    for spoiled in READ:
        proxy.spoil = lambda request, spoiled=spoiled: fault if place(request) == spoiled else None
        with pytest.raises(EXPECTED[fault]) as raised:
            await forge.read_change(big_change)
        assert token not in told(raised.value)
        if isinstance(raised.value, RateLimited):
            assert raised.value.retry_after == 7
    await forge.close()
    assert token not in caplog.text


@pytest.mark.parametrize("fault", [Fault.SILENCE, Fault.DRIPPING])
@pytest.mark.parametrize("spoiled", ["GET /pulls/N", "GET /pulls/N/files page 2", "query Change"])
async def test_a_server_that_does_not_come_to_an_end(
    github: GithubServer, proxy: FaultyProxy, big_change: ChangeKey, fault: Fault, spoiled: str
) -> None:
    """Nothing is waited for without end, not even for a byte now and then."""
    hasty = a_forge(proxy, github.token("admit"), timeout=3)
    proxy.spoil = lambda request: fault if place(request) == spoiled else None
    with pytest.raises(Unreachable):
        await asyncio.wait_for(hasty.read_change(big_change), timeout=240)
    await hasty.close()


async def test_a_list_that_is_shorter_than_it_says(proxy: FaultyProxy, forge: GithubForge, big_change: ChangeKey) -> None:
    """One item missing on one page is a fault, in REST and in GraphQL."""
    for spoiled in READ[1:]:
        proxy.spoil = lambda request, spoiled=spoiled: Fault.SHORT_PAGE if place(request) == spoiled else None
        with pytest.raises(TemporaryError):
            await forge.read_change(big_change)


async def test_a_token_revoked_in_mid_read(github: GithubServer, proxy: FaultyProxy, forge: GithubForge, big_change: ChangeKey) -> None:
    """After any number of requests: refused, or the change had been read whole by then."""
    whole = await forge.read_change(big_change)
    needed = len(proxy.requests)
    for allowed in range(needed + 1):
        async with faulty_proxy(github.url) as fresh:  # what a refused reading still has on its way is the old proxy's
            fresh.spoil = lambda request, allowed=allowed: None if request.number < allowed else Fault.UNAUTHORIZED
            anew = a_forge(fresh, github.token("admit"))
            if allowed == needed:
                assert await anew.read_change(big_change) == whole
            else:
                with pytest.raises(AccessRefused):
                    await anew.read_change(big_change)
            await anew.close()


async def test_a_change_that_moves_between_two_requests_is_read_again(github: GithubServer, proxy: FaultyProxy, forge: GithubForge) -> None:
    """A push while files are read: the second reading has the new head's, and nothing of the old one's."""
    people = github.forge
    repository = people.create_repository("acme/moving").name
    people.push(repository, "feature", {"a.txt": "a\n"})
    key = people.open_change(repository, head="feature")
    pushed: list[str] = []

    def move(request: Request) -> None:
        if place(request) == "query Change" and not pushed:
            pushed.append(people.push(repository, "feature", {"b.txt": "b\n"}))

    proxy.spoil = move
    change = await forge.read_change(key)

    assert (change.head.sha, [file.path for file in change.files]) == (pushed[0], ["a.txt", "b.txt"])
    assert [place(request) for request in proxy.requests].count("GET /pulls/N") == 2


async def test_a_change_that_never_stands_still_is_a_fault(github: GithubServer, proxy: FaultyProxy, forge: GithubForge) -> None:
    """Three new starts, and no more."""
    people = github.forge
    repository = people.create_repository("acme/restless").name
    people.push(repository, "feature", {"a.txt": "a\n"})
    key = people.open_change(repository, head="feature")
    proxy.spoil = lambda request: people.comment(key, "again", by="bob") if place(request) == "query Change" else None

    with pytest.raises(TornFacts):
        await forge.read_change(key)
    assert [place(request) for request in proxy.requests].count("GET /pulls/N") == 4


@pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.CUT_JSON, Fault.FORBIDDEN, Fault.NOT_FOUND, Fault.HTML])
async def test_everything_else_fails_as_a_whole(github: GithubServer, big_change: ChangeKey, fault: Fault) -> None:
    """Each request of each of the other readings and acts, spoiled in turn."""
    repository, token = big_change.repository, github.token("admit")
    sha = github.forge.world.change(big_change).head_sha
    status = Status(context="admit/main", state=StatusState.PENDING, description="", target_url="")
    calls: list[Callable[[GithubForge], Awaitable[object]]] = [
        lambda forge: forge.read_folder(repository, "main", ""),
        lambda forge: forge.open_changes(repository),
        lambda forge: forge.repositories(["acme/*"]),
        lambda forge: forge.reported(repository, sha, "admit/main"),
        lambda forge: forge.report(repository, sha, status),
        lambda forge: forge.summary(big_change),
        lambda forge: forge.budget(),
    ]
    for call in calls:
        async with faulty_proxy(github.url) as proxy:
            forge = a_forge(proxy, token)
            await call(forge)
            await forge.close()
            needed = len(proxy.requests)
        for position in range(needed):
            async with faulty_proxy(github.url) as proxy:  # what a failed call still has on its way is the old proxy's
                proxy.spoil = lambda request, position=position: fault if request.number == position else None
                fresh = a_forge(proxy, token)
                problem = await fault_of(call(fresh))
                assert problem is not None or fault is Fault.NOT_FOUND, "only what is not there may be left out"
                assert problem is None or token not in told(problem)
                await fresh.close()


async def test_a_limit_is_told_with_its_end(forge: GithubForge, proxy: FaultyProxy, big_change: ChangeKey) -> None:
    """An allowance that is used up, whatever the status code, and a secondary limit that says nothing of its length."""
    soon = int(datetime.now(UTC).timestamp()) + 300
    for answer, least, most in (
        (
            httpx.Response(403, headers={"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(soon)}, json={"message": "API rate limit"}),
            200,
            301,
        ),
        (httpx.Response(429, json={"message": "slow down"}), 60, 60),
        (httpx.Response(403, json={"message": "You have exceeded a secondary rate limit."}), 60, 60),
    ):
        proxy.answer = lambda _, answer=answer: answer
        with pytest.raises(RateLimited) as raised:
            await forge.read_change(big_change)
        assert raised.value.retry_after is not None
        assert least <= raised.value.retry_after <= most


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("NOT_FOUND", NotFound),
        ("FORBIDDEN", AccessRefused),
        ("INSUFFICIENT_SCOPES", AccessRefused),
        ("RATE_LIMITED", RateLimited),
        ("SERVICE_UNAVAILABLE", Unreachable),
        (None, Unreachable),
    ],
)
async def test_graphql_data_with_errors_beside_it_is_a_fault(
    forge: GithubForge, proxy: FaultyProxy, big_change: ChangeKey, kind: str | None, expected: type[ProviderError]
) -> None:
    """However whole it looks: what was left out is null there, as what does not exist is."""
    error = {"message": "something ghp_0123456789secret", **({"type": kind} if kind else {})}

    def answer(request: Request) -> httpx.Response | None:
        return httpx.Response(200, json={"data": {"repository": None}, "errors": [error]}) if place(request) == "query Change" else None

    proxy.answer = answer
    with pytest.raises(expected) as raised:
        await forge.read_change(big_change)
    assert "ghp_" not in str(raised.value)


async def test_a_merge_whose_answer_is_lost_is_found_out(github: GithubServer, proxy: FaultyProxy, forge: GithubForge) -> None:
    """It happened, so it is a success; a 500 before it happened is none."""
    people = github.forge
    repository = people.create_repository("acme/lost").name
    for number, fault in enumerate((Fault.SERVER_ERROR, Fault.CUT_CONNECTION)):
        sha = people.push(repository, f"feature-{number}", {f"{number}.txt": "a\n"})
        key = people.open_change(repository, head=f"feature-{number}")
        proxy.spoil = lambda request, fault=fault: fault if "merge-async/" in request.target else None
        landed = await forge.merge(key, head_sha=sha, method=MergeMethod.SQUASH)
        assert people.world.repository(repository).branches["main"] == landed


# --- Apps -------------------------------------------------------------------------------------------


@pytest.fixture
def an_app(github: GithubServer) -> App:
    app, key = github.app("gate", permissions=APP_RIGHTS, events=list(EVENTS))
    return App(app_id=str(app.id), private_key=key)


async def test_an_app_renews_its_tokens_before_they_end(
    github: GithubServer, proxy: FaultyProxy, an_app: App, big_change: ChangeKey
) -> None:
    """Of whatever length they are; and when one is revoked, the next request asks for another."""
    forge = GithubForge(connection="work", url=proxy.url, credentials=an_app, timeout=240)
    issued = lambda: sum("access_tokens" in request.target for request in proxy.requests)  # noqa: E731
    await forge.summary(big_change)
    await forge.summary(big_change)
    assert issued() == 1

    auth = forge._client.auth
    auth._clock = lambda: datetime.now(UTC).timestamp() + 3_600 - 500  # type: ignore[union-attr]
    await forge.summary(big_change)
    assert issued() == 2

    auth._clock = lambda: datetime.now(UTC).timestamp()  # type: ignore[union-attr]
    for token in [token for token, identity in github.state.tokens.items() if identity.app_id == int(an_app.app_id)]:
        del github.state.tokens[token]
    with pytest.raises(AccessRefused):
        await forge.summary(big_change)
    await forge.summary(big_change)
    assert issued() == 3
    await forge.close()


async def test_a_token_serves_on_while_no_new_one_can_be_had(
    github: GithubServer, proxy: FaultyProxy, an_app: App, big_change: ChangeKey
) -> None:
    """Until it is nearly at its end."""
    forge = GithubForge(connection="work", url=proxy.url, credentials=an_app, timeout=240)
    await forge.summary(big_change)
    proxy.spoil = lambda request: Fault.SERVER_ERROR if "access_tokens" in request.target else None
    for past, good in ((500, True), (30, False)):
        forge._client.auth._clock = lambda past=past: datetime.now(UTC).timestamp() + 3_600 - past  # type: ignore[union-attr]
        if good:
            await forge.summary(big_change)
        else:
            with pytest.raises(Unreachable):
                await forge.summary(big_change)
    await forge.close()


async def test_an_app_that_is_not_installed_says_what_to_do(
    github: GithubServer, proxy: FaultyProxy, an_app: App, big_change: ChangeKey
) -> None:
    """And a wrong key is told from it."""
    github.state.apps[int(an_app.app_id)].installed = False
    forge = GithubForge(connection="work", url=proxy.url, credentials=an_app, timeout=240)
    with pytest.raises(AccessRefused) as raised:
        await forge.summary(big_change)
    assert "install" in str(raised.value.advice)
    await forge.close()

    _, other = github.app("other", permissions={}, events=[])
    wrong = GithubForge(connection="work", url=proxy.url, credentials=App(app_id=an_app.app_id, private_key=other), timeout=240)
    with pytest.raises(AccessRefused) as refused:
        await wrong.summary(big_change)
    assert "private_key" in str(refused.value.advice)
    await wrong.close()


async def test_neither_key_nor_tokens_of_an_app_are_told(
    github: GithubServer, proxy: FaultyProxy, an_app: App, big_change: ChangeKey, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in errors, not in logs, whatever the server sends back of them."""
    caplog.set_level(logging.DEBUG)
    forge = GithubForge(connection="work", url=proxy.url, credentials=an_app, timeout=240)

    def echo(request: Request) -> httpx.Response | None:
        return httpx.Response(422, json={"message": f"bad {request.headers['authorization']}"}) if "/pulls/" in request.target else None

    proxy.answer = echo
    with pytest.raises(PermanentError) as raised:
        await forge.summary(big_change)
    tokens = [token for token, identity in github.state.tokens.items() if identity.app_id == int(an_app.app_id)]
    said = told(raised.value) + caplog.text + repr(an_app)
    assert tokens
    assert not any(token in said for token in tokens)
    assert "PRIVATE KEY" not in said
    await forge.close()


def test_what_cannot_be_a_credential_is_refused_without_being_told() -> None:
    """When it is configured, not when it is first needed."""
    for credentials in (AccessToken(token="with space"), AccessToken(token=""), App(app_id="1", private_key="no-key-at-all")):
        with pytest.raises(ValueError, match="expected") as raised:
            GithubForge(connection="work", url="https://github.com", credentials=credentials)
        assert "with space" not in str(raised.value)
        assert "no-key-at-all" not in told(raised.value)


async def test_an_app_insists_on_itself_as_the_source(github: GithubServer, an_app: App) -> None:
    """Then it does not matter who else merges; another App's success of that name opens nothing."""
    repository = github.forge.create_repository("acme/insisted").name
    sha = github.forge.push(repository, "feature", {"a.txt": "a\n"})
    key = github.forge.open_change(repository, head="feature")
    admin = AccessToken(token=github.token("acme"))
    setup = GithubSetup(connection="work", url=github.url, credentials=admin, app=an_app, account="gate[bot]", timeout=240)
    forge = GithubForge(connection="work", url=github.url, credentials=an_app, timeout=240)
    await setup.require(repository, "main", "admit/main")
    assert await setup.audit(repository, "main", "admit/main") == []

    add_run(
        github.state, repository, Identity(login="other[bot]", app_id=99), {"name": "admit/main", "head_sha": sha, "conclusion": "success"}
    )
    with pytest.raises(PermanentError):
        await forge.merge(key, head_sha=sha, method=MergeMethod.MERGE)
    await forge.report(
        repository, sha, Status(context="admit/main", state=StatusState.SUCCESS, description="", target_url="http://gate.test/")
    )
    await forge.merge(key, head_sha=sha, method=MergeMethod.MERGE)

    gate = github.state.of(repository).rulesets[0]
    next(rule for rule in gate["rules"] if rule["type"] == "required_status_checks")["parameters"]["required_status_checks"] = [
        {"context": "admit/main"}
    ]
    assert [finding.gap.value for finding in await setup.audit(repository, "main", "admit/main")] == ["any_source"]
    await forge.close()
    await setup.close()
