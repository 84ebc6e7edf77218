"""What an unsuccessful answer stands for, and what the target said about it, short and without secrets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from providers.errors import AccessRefused, Conflict, NotFound, PermanentError, ProviderError, RateLimited, Unreachable
from providers.retry_after import seconds_of

_LONGEST = 1000
_RENEW = "the credentials are wrong, expired or revoked: give the target new ones"


def fault(target: str, where: str, status: int, value: Any, retry_after: str, hidden: Callable[[str], str]) -> ProviderError:
    """The exception. value: the answer's JSON, None where it is not JSON."""
    text = hidden(said(value))
    message = f"{where}: {status}" + (f" {text}" if text else "")
    wait = seconds(retry_after)
    match status:
        case 401:
            return AccessRefused(message, advice=f"target '{target}': {_RENEW}")
        case 403 if wait is not None:
            return RateLimited(message, retry_after=wait)
        case 403:
            return AccessRefused(message, advice=f"target '{target}': give the gateway's account there the permission that is missing")
        case 404 | 410:
            return NotFound(message)
        case 409:
            return Conflict(message)
        case 429:
            return RateLimited(message, retry_after=wait)
        case 408 | 425:
            return Unreachable(message, retry_after=wait)
        case code if code >= 500:
            return Unreachable(message, retry_after=wait)
        case code if code < 400:
            return Unreachable(message, advice=f"target '{target}': its url is not that of its API, or a login page stands before it")
    return PermanentError(message)


def said(value: Any) -> str:
    """The reason in any of the shapes our targets give it: `message`, `detail` or `error`, a text or a list of them."""
    if isinstance(value, str):
        return _short(value)
    if isinstance(value, list):
        return _short("; ".join(text for item in value[:5] if (text := said(item))))
    if isinstance(value, dict):
        place = ".".join(str(part) for part in value["loc"]) + ": " if isinstance(value.get("loc"), list) else ""
        for name in ("message", "msg", "exception_message", "detail", "error", "errors", "exception_detail"):
            if text := said(value.get(name)):
                return _short(place + text)
    return ""


def seconds(retry_after: str) -> float | None:
    """Seconds to wait, from either form of Retry-After; None also for a number nobody can mean."""
    value = retry_after.strip()
    return None if value.isdecimal() and len(value) >= 10 else seconds_of(value)


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
