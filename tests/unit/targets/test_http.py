"""Requests to a target: credentials that are renewed, answers that are none, and what a refusal says."""

from __future__ import annotations

import asyncio
import base64

import httpx
import pytest
import respx

from providers.errors import AccessRefused, Conflict, NotFound, PermanentError, RateLimited, Unreachable
from providers.targets.http import Basic, Login, Nothing, TargetClient, Token, path_of
from providers.targets.http.client import LONGEST
from providers.targets.http.faults import said, seconds

pytestmark = pytest.mark.anyio
URL = "http://target.test"


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def api():
    with respx.mock(base_url=URL) as mocked:
        yield mocked


def a_client(credentials=None):
    return TargetClient(target="prod", url=URL, timeout=60, credentials=credentials)


async def test_expired_token_is_renewed_once_and_the_request_sent_again(api):
    """The first was refused before anything was done; a second refusal is the answer."""
    given = iter(["old", "new", "newest"])

    async def log_in():
        return next(given)

    api.get("/runs", headers={"authorization": "Bearer old"}).respond(401)
    api.get("/runs", headers={"authorization": "Bearer new"}).respond(200, json={"fine": True})
    api.get("/refused").respond(401, json={"detail": "no"})
    client = a_client(Login(log_in, lambda: "password"))
    assert (await client.get("/runs")).flag("fine")
    with pytest.raises(AccessRefused, match="401 no"):
        await client.get("/refused")
    assert len(api.calls) == 4
    await client.close()


async def test_many_requests_share_one_login():
    """However many begin at once."""
    logins = []

    async def log_in():
        logins.append(1)
        await asyncio.sleep(0)
        return "token"

    credentials = Login(log_in, lambda: "password")
    assert await asyncio.gather(*(credentials.headers() for _ in range(10))) == [{"Authorization": "Bearer token"}] * 10
    assert logins == [1]


@pytest.mark.parametrize("secret", ["two words", "line\nbreak", "", "münchen"])
async def test_token_no_header_can_carry_is_refused_and_not_told(secret):
    """The HTTP library would quote it."""
    client = a_client(Token(lambda: secret))
    with pytest.raises(AccessRefused, match="printable ASCII") as refused:
        await client.get("/runs")
    assert not secret or secret not in str(refused.value)
    await client.close()


@pytest.mark.parametrize(
    ("credentials", "secret"),
    [
        (Token(lambda: "canary-1"), "canary-1"),
        (Token(lambda: "canary-2", header="X-Key", word=""), "canary-2"),
        (Basic("me", lambda: "canary-3"), "canary-3"),
        (Basic("me", lambda: "canary-4"), base64.b64encode(b"me:canary-4").decode()),
    ],
    ids=["bearer", "other header", "password", "what is sent of it"],
)
async def test_target_that_repeats_a_secret_is_not_quoted(api, credentials, secret):
    """Its reason is shown to people, but for that."""
    sent = api.get("/runs").respond(403, json={"message": f"'{secret}' may not do that"})
    client = a_client(credentials)
    with pytest.raises(AccessRefused, match=r"'\*\*\*' may not do that"):
        await client.get("/runs")
    await client.close()
    assert sent.called


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        (301, Unreachable),
        (302, Unreachable),
        (400, PermanentError),
        (404, NotFound),
        (408, Unreachable),
        (409, Conflict),
        (410, NotFound),
        (422, PermanentError),
        (429, RateLimited),
        (500, Unreachable),
        (503, Unreachable),
    ],
)
async def test_every_status_is_a_fault_of_its_kind(api, status, problem):
    """With the seconds to wait where it was said, and no redirect followed: the credentials would go along."""
    api.get("/runs").respond(status, headers={"retry-after": "9", "location": f"{URL}/elsewhere"}, text="<html>")
    client = a_client(Nothing())
    with pytest.raises(problem) as raised:
        await client.get("/runs")
    await client.close()
    assert type(raised.value) is problem
    if status in {408, 429, 500, 503}:
        assert raised.value.retry_after == 9


async def test_answer_without_end_is_given_up(api):
    """Before it fills the memory."""
    api.get("/runs").mock(return_value=httpx.Response(200, content=b'"' + b"x" * (LONGEST + 1)))
    client = a_client()
    with pytest.raises(Unreachable, match="longer than"):
        await client.get("/runs")
    await client.close()


async def test_input_that_is_not_json_is_never_sent():
    """Permanent: trying again would not make it any better."""
    client = a_client()
    with pytest.raises(PermanentError, match="not JSON"):
        await client.call("POST", "/runs", body={"a": float("nan")})
    await client.close()


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"message": "a  b\nc"}, "a b c"),
        ({"detail": "no such DAG"}, "no such DAG"),
        ({"detail": [{"loc": ["body", "conf"], "msg": "not a dictionary"}]}, "body.conf: not a dictionary"),
        ({"detail": {"reason": "unique", "message": "Serious error"}}, "Serious error"),
        ({"errors": [{"message": "one"}, {"message": "two"}]}, "one; two"),
        ({"exception_message": "Invalid request received."}, "Invalid request received."),
        ({"message": "x" * 5000}, "x" * 999 + "…"),
        ({"unheard": "of"}, ""),
        (None, ""),
        (3, ""),
    ],
)
def test_reason_is_found_in_every_shape_it_is_given(answer, text):
    """Short enough for a page."""
    assert said(answer) == text


@pytest.mark.parametrize(("value", "expected"), [("7", 7.0), (" 120 ", 120.0), ("", None), ("soon", None), ("-3", None), ("9" * 30, None)])
def test_retry_after_in_seconds(value, expected):
    """What is no number of seconds is none."""
    assert seconds(value) == expected


def test_retry_after_as_a_date_that_has_passed_is_now():
    """Never a wait into the past."""
    assert seconds("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0


@pytest.mark.parametrize("part", ["../admin", "a/b", "..", ".", "a?b=c", "a#b", "ü"])
def test_part_of_a_path_stays_in_its_place(part):
    """A run named `../admin` is not another page."""
    path = path_of("runs", part, "end")
    assert path.count("/") == 3
    assert "?" not in path
    assert "#" not in path
    assert "/../" not in path
    assert "/./" not in path
