"""The requests session under python-gitlab, with the manners this house asks of every client.

Separate because python-gitlab leaves them to the session: redirects are never followed (requests takes a private token
along to another host), nothing is taken from the environment, and the deadline covers the whole answer, also that of a
server which sends a byte now and then. The last answer of a thread can be looked at, since python-gitlab's errors do not
carry headers (Retry-After).
"""

from __future__ import annotations

import threading
import time
from typing import Any

import requests
from requests.adapters import HTTPAdapter

MOST_BYTES = 64 * 1024 * 1024
"""No answer is longer; the longest are pages of diffs."""
_PIECE = 64 * 1024


class AnswerTooLong(requests.RequestException):
    """The answer does not end within MOST_BYTES."""


class Session(requests.Session):
    """deadline: seconds from the request to the last byte. at_once: connections kept."""

    def __init__(self, *, deadline: float, at_once: int) -> None:
        super().__init__()
        self.trust_env = False
        self._deadline = deadline
        self._local = threading.local()
        for scheme in ("http://", "https://"):
            self.mount(scheme, HTTPAdapter(pool_connections=1, pool_maxsize=at_once, max_retries=0))

    @property
    def last(self) -> requests.Response | None:
        """The last answer this thread was given."""
        return getattr(self._local, "last", None)

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        self._local.last = None
        until = time.monotonic() + self._deadline
        response = super().send(request, **{**options, "allow_redirects": False, "stream": True})
        try:
            response._content = _whole(response, until)
        finally:
            response.close()
        self._local.last = response
        return response


def _whole(response: requests.Response, until: float) -> bytes:
    """All of the body. Raises urllib3's own exceptions beside requests'."""
    found = bytearray()
    while piece := response.raw.read1(_PIECE, decode_content=True):
        found += piece
        if time.monotonic() > until:
            raise requests.ReadTimeout("the answer did not end in time")
        if len(found) > MOST_BYTES:
            raise AnswerTooLong(f"the answer is longer than {MOST_BYTES} bytes")
    return bytes(found)
