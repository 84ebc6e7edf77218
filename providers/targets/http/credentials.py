"""How the gateway is known at a target: nothing, a token, user and password, or a login that gives tokens which expire.

A secret is a function, asked at every request: one that lies in a file may be replaced there while the gateway runs, as
Kubernetes does with a service account's token every hour.
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

from providers.errors import AccessRefused

Secret: TypeAlias = Callable[[], str]
"""The secret as it is now. Raises AccessRefused where it cannot be had."""


class Credentials(Protocol):
    """What goes along with every request."""

    async def headers(self) -> dict[str, str]:
        """To be sent."""

    def refused(self) -> bool:
        """The target did not take them (401): is there any use in asking once more, with new ones?"""

    def hidden(self, text: str) -> str:
        """The text without any secret in it."""


class Nothing:
    """The target asks for none."""

    async def headers(self) -> dict[str, str]:
        return {}

    def refused(self) -> bool:
        return False

    def hidden(self, text: str) -> str:
        return text


class Token:
    """A token in a header, after a word: `Authorization: Bearer …`."""

    def __init__(self, secret: Secret, *, header: str = "Authorization", word: str = "Bearer ") -> None:
        self._secret, self._header, self._word = secret, header, word

    async def headers(self) -> dict[str, str]:
        return {self._header: self._word + _sendable(self._secret())}

    def refused(self) -> bool:
        return False

    def hidden(self, text: str) -> str:
        return text.replace(self._secret(), "***")


class Basic:
    """User and password, RFC 7617."""

    def __init__(self, user: str, password: Secret) -> None:
        self._user, self._password = user, password

    async def headers(self) -> dict[str, str]:
        return {"Authorization": "Basic " + self._encoded()}

    def refused(self) -> bool:
        return False

    def hidden(self, text: str) -> str:
        return text.replace(self._encoded(), "***").replace(self._password(), "***")

    def _encoded(self) -> str:
        return base64.b64encode(f"{self._user}:{self._password()}".encode()).decode()


class Login:
    """Tokens that `log_in` gives, one at a time, however many ask; a new one when the old one is not taken any more."""

    def __init__(self, log_in: Callable[[], Awaitable[str]], password: Secret) -> None:
        self._log_in, self._password = log_in, password
        self._token: str | None = None
        self._logging_in = asyncio.Lock()

    async def headers(self) -> dict[str, str]:
        async with self._logging_in:
            if self._token is None:
                self._token = _sendable(await self._log_in())
            return {"Authorization": f"Bearer {self._token}"}

    def refused(self) -> bool:
        self._token = None
        return True

    def hidden(self, text: str) -> str:
        return text.replace(self._token or self._password(), "***").replace(self._password(), "***")


def _sendable(secret: str) -> str:
    """Raises AccessRefused for what no header can carry: the HTTP library would quote it in its complaint."""
    if not re.fullmatch(r"[\x21-\x7e]+", secret):
        raise AccessRefused("the token is not printable ASCII without spaces", advice="check how it is configured")
    return secret
