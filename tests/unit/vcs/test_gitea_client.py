"""Which addresses are a Gitea's, and what its answers mean, without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from providers.errors import AccessRefused, NotFound, PermanentError, ProviderError, RateLimited, TemporaryError, Unreachable
from providers.vcs import ChangeKey
from providers.vcs.gitea import GiteaForge
from providers.vcs.gitea.client import GiteaClient, path_of

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def a_client(answer: Callable[[httpx.Request], httpx.Response]) -> GiteaClient:
    transport = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return GiteaClient(url="https://git.test/sub/", token="canary", timeout=5, client=transport)


@pytest.mark.parametrize(
    ("url", "name", "number"),
    [
        ("https://git.test/sub/acme/web/pulls/7", "acme/web", 7),
        ("https://git.test/sub/acme/web/pulls/7/files", "acme/web", 7),
        ("https://git.test/sub/acme/web/pulls/7/files?style=split#diff", "acme/web", 7),
        ("HTTPS://GIT.test:443/sub/acme/web.js/pulls/12", "acme/web.js", 12),
        ("https://git.test/sub/acme/w%65b/pulls/7", "acme/web", 7),
    ],
)
def test_a_pull_requests_address_is_recognised(url: str, name: str, number: int) -> None:
    """Below the path people see it at, whatever tab they have open."""
    forge = GiteaForge(connection="work", url="https://git.test/sub", token="t")
    assert forge.locate(url) == ChangeKey(repository=name, number=number)


@pytest.mark.parametrize(
    "url",
    [
        "https://git.test/acme/web/pulls/7",
        "http://git.test/sub/acme/web/pulls/7",
        "https://git.test:8443/sub/acme/web/pulls/7",
        "https://git.test@evil.test/sub/acme/web/pulls/7",
        "https://user@git.test/sub/acme/web/pulls/7",
        "https://git.test.evil.test/sub/acme/web/pulls/7",
        "https://git.test/sub/acme/web/issues/7",
        "https://git.test/sub/acme/web/pulls/0",
        "https://git.test/sub/acme/web/pulls/7x",
        "https://git.test/sub/acme/web/pulls/" + "9" * 30,
        "https://git.test/sub/acme/group/web/pulls/7",
        "https://git.test/sub/acme/web/pulls",
        "https://git.test/sub/../web/pulls/7",
        "https://git.test/sub/acme/../pulls/7",
        "https://git.test/sub/acme/%2e%2e/pulls/7",
        "https://git.test/sub/acme/a%2Fb/pulls/7",
        "https://git.test/sub/acme/a%0Ab/pulls/7",
        "https://[broken/sub/acme/web/pulls/7",
        "/sub/acme/web/pulls/7",
        "",
    ],
)
def test_any_other_address_is_somebody_elses(url: str) -> None:
    """Another host, port, path or scheme, or no pull request at all."""
    assert GiteaForge(connection="work", url="https://git.test/sub", token="t").locate(url) is None


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (400, {}, PermanentError),
        (401, {}, AccessRefused),
        (403, {}, AccessRefused),
        (403, {"retry-after": "9"}, RateLimited),
        (404, {}, NotFound),
        (410, {}, NotFound),
        (422, {}, PermanentError),
        (423, {}, PermanentError),
        (429, {}, RateLimited),
        (301, {"location": "https://evil.test/"}, NotFound),
        (302, {"location": "https://evil.test/"}, Unreachable),
        (307, {"location": "https://evil.test/"}, Unreachable),
        (308, {"location": "https://evil.test/"}, NotFound),
        (408, {}, Unreachable),
        (500, {}, Unreachable),
        (502, {}, Unreachable),
        (503, {"retry-after": "9"}, Unreachable),
    ],
)
async def test_each_answer_has_its_name(status: int, headers: dict[str, str], expected: type[ProviderError]) -> None:
    """Temporary or permanent, how long to wait; what the server said, but never the token, and never a redirect followed."""
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        return httpx.Response(status, headers=headers, json={"message": "because of canary"})

    client = a_client(answer)
    with pytest.raises(expected) as raised:
        await client.get("/thing")
    await client.close()

    assert asked == ["https://git.test/sub/api/v1/thing"]
    assert f"GET /thing: {status} because of ***" in str(raised.value)
    assert isinstance(raised.value, TemporaryError) == issubclass(expected, TemporaryError)
    if isinstance(raised.value, TemporaryError):
        assert raised.value.retry_after == (9 if "retry-after" in headers else None)


async def test_a_date_to_wait_for_is_understood() -> None:
    """The other form of Retry-After; a date gone by is no wait."""
    for distance, low, high in ((timedelta(seconds=100), 80, 100), (timedelta(days=-1), 0, 0)):
        date = format_datetime(datetime.now(UTC) + distance, usegmt=True)
        client = a_client(lambda _, date=date: httpx.Response(429, headers={"retry-after": date}))
        with pytest.raises(RateLimited) as limited:
            await client.get("/thing")
        await client.close()
        assert limited.value.retry_after is not None
        assert low <= limited.value.retry_after <= high


@pytest.mark.parametrize(
    "problem",
    [httpx.ConnectError("no canary here"), httpx.ReadTimeout("slow"), httpx.RemoteProtocolError("cut"), httpx.InvalidURL("odd")],
    ids=lambda problem: type(problem).__name__,
)
async def test_every_fault_of_the_transport_is_unreachable(problem: Exception) -> None:
    """And nothing of the library's exceptions is passed on that could hold a secret."""

    def answer(_: httpx.Request) -> httpx.Response:
        raise problem

    client = a_client(answer)
    with pytest.raises(Unreachable) as raised:
        await client.get("/thing")
    await client.close()
    assert "canary" not in str(raised.value)


def test_every_exception_of_the_library_is_covered() -> None:
    """What httpx may raise is an HTTPError or InvalidURL, or is no fault of a request."""
    known = [getattr(httpx, name) for name in httpx.__all__]
    raised = [thing for thing in known if isinstance(thing, type) and issubclass(thing, Exception)]
    others = [thing.__name__ for thing in raised if not issubclass(thing, (httpx.HTTPError, httpx.InvalidURL))]
    assert sorted(others) == ["CookieConflict", "RequestNotRead", "ResponseNotRead", "StreamClosed", "StreamConsumed", "StreamError"]


def test_paths_are_encoded_part_by_part() -> None:
    """A slash within a part stays, nothing else gets out of its part."""
    assert path_of("repos", "acme/web", "branches", "a b#c?d%/e") == "/repos/acme/web/branches/a%20b%23c%3Fd%25/e"


@pytest.mark.parametrize("part", ["..", "acme/..", "../web", "a/../b", ".", "", "a//b", "/etc"])
def test_no_part_leaves_its_place(part: str) -> None:
    """A name from a payload or an address cannot lead to another endpoint."""
    with pytest.raises(NotFound):
        path_of("repos", part, "pulls")


async def test_nothing_is_asked_any_more_once_it_is_closed() -> None:
    """Of requests at once one may have failed; a connection that another of them opens afterwards would stay open."""
    arrived = asyncio.Event()

    async def answer(_: httpx.Request) -> httpx.Response:
        arrived.set()
        await asyncio.Event().wait()
        raise AssertionError("nobody says so")

    client = GiteaClient(
        url="https://git.test", token="canary", timeout=240, client=httpx.AsyncClient(transport=httpx.MockTransport(answer))
    )
    asking = [asyncio.create_task(client.request("GET", "/version")) for _ in range(20)]
    await arrived.wait()
    await client.close()
    assert all(task.cancelled() for task in asking)
