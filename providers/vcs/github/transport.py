"""One request to GitHub by PyGithub, without what PyGithub does on its own.

PyGithub's `Requester` knows how to authenticate, where GraphQL lives and how a request is written. It would also follow
redirects with the token, sleep on 202 and ask again without end, retry, pause between requests, and write answers (with
fresh tokens in them) into its debug log. So it is given an exchange of our own as its connection, which performs the
request and keeps the answer to itself; what the Requester sees is an empty success. Its connections also must not be shared
by threads, while an exchange belongs to one request. Blocking: called from the client's threads.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections.abc import ItemsView, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from github.Auth import Auth
from github.Requester import Requester

from providers.errors import Unreachable

API_VERSION = "2022-11-28"
MOST_BYTES = 64 * 1024 * 1024
"""Of one answer; the largest there is, a blob of 10 MB in base64, is far below."""
_CHUNK = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back: header names in lower case, the body as it was."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """Requests to one API with one identity. Each thread has its own session and Requester."""

    def __init__(self, *, api_url: str, auth: Auth, timeout: float) -> None:
        self._api_url = api_url
        self._auth = auth
        self._timeout = timeout
        self._own = threading.local()
        self._sessions: list[requests.Session] = []
        self._lock = threading.Lock()

    def send(self, method: str, path: str, *, parameters: Mapping[str, Any], headers: Mapping[str, str], input: Any) -> Reply:
        """`path` below the API's address; `/graphql` is where this API has it. Raises Unreachable, and what the identity raises."""
        requester, session = self._of_this_thread()
        exchange = _Exchange(session, self._api_url, time.monotonic() + self._timeout)
        url = requester.graphql_url if path == "/graphql" else path
        try:
            requester.requestJson(
                method,
                url,
                parameters=dict(parameters),
                headers={"Accept": "application/vnd.github+json", **headers},
                input=input,
                cnx=exchange,  # type: ignore[arg-type]
            )
        except requests.Timeout as problem:
            raise Unreachable(f"{method} {path}: no answer within {self._timeout:g} s") from problem
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as problem:
            raise Unreachable(f"{method} {path}: {type(problem).__name__}") from problem
        assert exchange.reply is not None
        return exchange.reply

    def close(self) -> None:
        """Let go of connections; no thread may use it any more."""
        with self._lock:
            for session in self._sessions:
                session.close()
            self._sessions.clear()

    def _of_this_thread(self) -> tuple[Requester, requests.Session]:
        if not hasattr(self._own, "pair"):
            session = requests.Session()
            session.trust_env = not is_loopback(self._api_url)  # a company's proxy and certificates
            session.auth = Requester.noopAuth  # or .netrc would answer for us
            self._own.pair = (self._requester(), session)
            with self._lock:
                self._sessions.append(session)
        pair: tuple[Requester, requests.Session] = self._own.pair
        return pair

    def _requester(self) -> Requester:
        return Requester(
            auth=self._auth,
            base_url=self._api_url,
            timeout=int(self._timeout) or 1,
            user_agent="admittance",
            per_page=100,
            verify=True,
            retry=0,
            pool_size=1,
            seconds_between_requests=None,
            seconds_between_writes=None,
            api_version=API_VERSION,
        )


class _Exchange:
    """One request and its answer, in the shape of a PyGithub connection and response."""

    status = 200
    """What the Requester is told, whatever came: it acts on nothing."""

    def __init__(self, session: requests.Session, api_url: str, deadline: float) -> None:
        parts = urlsplit(api_url)
        self.host = parts.hostname or ""
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._session = session
        self._deadline = deadline
        self._asked: tuple[str, str, Any, Mapping[str, str]] | None = None
        self.reply: Reply | None = None

    def request(self, verb: str, url: str, input: Any, headers: Mapping[str, str], stream: bool = False) -> None:
        self._asked = (verb, url, input, headers)

    def getresponse(self) -> _Exchange:
        assert self._asked is not None
        verb, url, input, headers = self._asked
        left = max(self._deadline - time.monotonic(), 0.001)
        with self._session.request(
            verb, self._origin + url, data=input, headers=headers, timeout=left, allow_redirects=False, stream=True
        ) as response:
            body = self._body(response)
            self.reply = Reply(status=response.status_code, headers={n.lower(): v for n, v in response.headers.items()}, body=body)
        return self

    def _body(self, response: requests.Response) -> bytes:
        """All of it, in time: a server that sends a byte now and then is not waited for."""
        found = bytearray()
        while chunk := response.raw.read1(_CHUNK, decode_content=True):
            found += chunk
            if time.monotonic() > self._deadline:
                raise requests.Timeout("the answer did not end in time")
            if len(found) > MOST_BYTES:
                raise ValueError("the answer is too large")
        promised = response.headers.get("content-length", "")
        if promised.isdecimal() and "content-encoding" not in response.headers and len(found) != int(promised):
            raise ConnectionError("the answer was cut short")
        return bytes(found)

    def read(self) -> str:
        return ""

    def getheaders(self) -> ItemsView[str, str]:
        return {}.items()

    def close(self) -> None:
        """The session is the thread's."""


def api_url_of(url: str) -> str:
    """Where the API of the GitHub that people browse at `url` is: github.com, a tenant of ghe.com, or a GitHub Enterprise Server.

    Raises ValueError for what is no plain http(s) address.
    """
    parts = urlsplit(url.rstrip("/"))
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("expected GitHub's URL as http(s)://host without credentials; the token goes into 'token'")
    if parts.hostname in ("github.com", "www.github.com", "api.github.com"):
        return "https://api.github.com"
    if parts.hostname.endswith(".ghe.com"):
        return f"https://api.{parts.hostname.removeprefix('api.')}"
    return f"{parts.scheme}://{parts.netloc}/api/v3"


def is_loopback(url: str) -> bool:
    """Whether the address is this machine's own."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
