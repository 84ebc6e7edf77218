"""What an unsuccessful answer of GitHub means to a retry, and how its words are told without a secret in them.

A limit is told from a lack of rights by what GitHub says beside the 403: `retry-after`, an allowance used up, or its words.
https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#handle-rate-limit-errors-appropriately
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence

from providers.errors import AccessRefused, NotFound, PermanentError, ProviderError, RateLimited, Unreachable
from providers.vcs.documents import UnexpectedShape, parsed
from providers.vcs.github.transport import Reply

AT_LEAST = 60.0
"""Seconds to wait where GitHub says that it is too much, but not for how long."""
_TOKENS = re.compile(r"\b(?:gh[a-z]_|github_pat_|eyJ)[A-Za-z0-9_.\-]+")


class TokenRefused(AccessRefused):
    """The credentials themselves are not accepted, for anything."""


class Refused(PermanentError):
    """A 4xx that means something to who asked: its `status`, what the server `said`, and the `body` it said it in."""

    def __init__(self, message: str, *, status: int, said: str, body: bytes) -> None:
        super().__init__(message)
        self.status = status
        self.said = said
        self.body = body


def fault_of(where: str, reply: Reply, secrets: Sequence[str] = ()) -> ProviderError:
    """The exception an unsuccessful answer stands for."""
    said = clean(_said(reply), secrets)
    message = f"{where}: {reply.status}" + (f" {said}" if said else "")
    match reply.status:
        case 401:
            return TokenRefused(message, advice="the credentials are wrong, expired or revoked: make new ones and configure them")
        case 429:
            return RateLimited(message, retry_after=seconds_to_wait(reply.headers) or AT_LEAST)
        case 403 if _is_limit(reply, said):
            return RateLimited(message, retry_after=seconds_to_wait(reply.headers) or AT_LEAST)
        case 403:
            return AccessRefused(message, advice="give the token or App the permission, or its account the role, that is lacking")
        case 404 | 410:
            return NotFound(message)
        case 301 | 308:
            return NotFound(f"{message}: moved elsewhere", advice="the repository was renamed, or the connection's url is not GitHub's own")
        case 408 | 425:
            return Unreachable(message, retry_after=seconds_to_wait(reply.headers))
        case status if status >= 500 or status < 400:
            return Unreachable(message, retry_after=seconds_to_wait(reply.headers))
    return Refused(message, status=reply.status, said=said, body=reply.body)


def seconds_to_wait(headers: Mapping[str, str]) -> float | None:
    """`retry-after`, or else the time until an allowance that is used up is whole again."""
    said = headers.get("retry-after", "").strip()
    if said.isdecimal():
        return float(said)
    reset = headers.get("x-ratelimit-reset", "").strip()
    if headers.get("x-ratelimit-remaining") == "0" and reset.isdecimal():
        return max(1.0, int(reset) - time.time())
    return None


def clean(text: str, secrets: Sequence[str] = ()) -> str:
    """One short line without the secrets, and without anything that looks like one."""
    for secret in secrets:
        text = text.replace(secret, "***") if secret else text
    return " ".join(_TOKENS.sub("***", text).split())[:300]


def _is_limit(reply: Reply, said: str) -> bool:
    return "retry-after" in reply.headers or reply.headers.get("x-ratelimit-remaining") == "0" or "rate limit" in said.lower()


def _said(reply: Reply) -> str:
    """What the server gave as the reason: its message, and the messages of its `errors`."""
    try:
        value = parsed(reply.body, "")
    except UnexpectedShape:
        return ""
    if not isinstance(value, dict):
        return ""
    listed = value.get("errors")
    errors = listed if isinstance(listed, list) else [listed]
    details = [one.get("message") if isinstance(one, dict) else one for one in errors]
    return "; ".join(text for text in (value.get("message"), *details) if isinstance(text, str) and text)
