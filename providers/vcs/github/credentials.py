"""Who the gateway is on GitHub: a token, or an App's installation whose tokens are renewed before they end.

Nothing is assumed of a token but that it is printable: their form and length change.
https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/authenticating-as-a-github-app-installation
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from github.Auth import AppAuth, Auth, Token

from providers.errors import AccessRefused, ProviderError, TemporaryError, Unreachable
from providers.vcs.documents import UnexpectedShape, document, documents, parsed
from providers.vcs.github.faults import TokenRefused, fault_of
from providers.vcs.github.transport import Reply, Transport

RENEW_EARLY = 600.0
"""Seconds before its end at which a token is replaced; they live an hour."""
STILL_GOOD = 60.0
"""Seconds before its end up to which a token serves while no new one can be had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """A personal access token, classic or fine-grained."""

    token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A GitHub App. private_key: PEM. installation_id: None where the App is installed on one account only."""

    app_id: str
    private_key: str = field(repr=False)
    installation_id: int | None = None


Credentials: TypeAlias = AccessToken | App


class TokenAuth(Token):
    """PyGithub's, that tells which secrets must not be told."""

    def __init__(self, credentials: AccessToken) -> None:
        if not re.fullmatch(r"[\x21-\x7e]+", credentials.token):
            raise ValueError("expected a GitHub token of printable ASCII without spaces; check how it is configured")
        super().__init__(credentials.token)

    def secrets(self) -> Sequence[str]:
        return (self.token,)

    def refused(self, token: str) -> None:
        """A token that was refused stays refused."""

    def close(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True, slots=True)
class _Issued:
    token: str
    ends: float


class InstallationAuth(Auth):
    """Tokens of one installation of an App, issued when needed. Safe to use from many threads; blocking."""

    def __init__(self, credentials: App, *, api_url: str, timeout: float, clock: Callable[[], float] = time.time) -> None:
        self._app = _app_auth(credentials)
        self._installation = credentials.installation_id
        self._transport = Transport(api_url=api_url, auth=self._app, timeout=timeout)
        self._clock = clock
        self._lock = threading.Lock()
        self._issued: _Issued | None = None

    @property
    def token_type(self) -> str:
        return "token"

    @property
    def token(self) -> str:
        """A token that is good for a while yet. Raises as the API does."""
        with self._lock:
            issued, now = self._issued, self._clock()
            if issued is not None and issued.ends - now > RENEW_EARLY:
                return issued.token
            try:
                self._issued = self._issue()
            except TemporaryError:
                if issued is None or issued.ends - now <= STILL_GOOD:
                    raise
                return issued.token
            return self._issued.token

    def secrets(self) -> Sequence[str]:
        issued = self._issued
        return (issued.token,) if issued is not None else ()

    def refused(self, token: str) -> None:
        """Let go of a token that was revoked, so that the next request asks for another."""
        with self._lock:
            if self._issued is not None and self._issued.token == token:
                self._issued = None

    def as_app(self, method: str, path: str, json: object = None) -> Reply:
        """A request as the App itself, not as its installation. Raises as the API does."""
        reply = self._transport.send(method, path, parameters={}, headers={}, input=json)
        if reply.status >= 300:
            raise self._explained(fault_of(f"{method} {path}", reply))
        return reply

    def installation(self) -> int:
        """Which installation this is. Raises AccessRefused where the App has none, or several and none was named."""
        if self._installation is None:
            where = "GET /app/installations"
            found = documents(_json(self.as_app("GET", "/app/installations"), where), where)
            if len(found) != 1:
                names = ", ".join(f"{one.document('account').text('login')}: {one.number('id')}" for one in found) or "none"
                raise AccessRefused(
                    f"expected the App to be installed on one account, found {len(found)} ({names})",
                    advice="name one by installation_id, and make a connection for each" if found else "install the App on your account",
                )
            self._installation = found[0].number("id")
        return self._installation

    def close(self) -> None:
        self._transport.close()

    def _issue(self) -> _Issued:
        path = f"/app/installations/{self.installation()}/access_tokens"
        reply = self.as_app("POST", path)
        try:
            answer = document(_json(reply, f"POST {path}"), f"POST {path}")
            return _Issued(token=answer.text("token"), ends=_timestamp(answer.time("expires_at")))
        except UnexpectedShape as problem:
            raise Unreachable(str(problem)) from problem

    def _explained(self, fault: ProviderError) -> ProviderError:
        if isinstance(fault, TokenRefused):
            fault.advice = "check app_id and private_key, and that this machine's clock is right"
        return fault


def auth_of(credentials: Credentials, *, api_url: str, timeout: float) -> TokenAuth | InstallationAuth:
    """How requests are signed. Raises ValueError for a token or key that cannot be one."""
    match credentials:
        case AccessToken():
            return TokenAuth(credentials)
        case App():
            return InstallationAuth(credentials, api_url=api_url, timeout=timeout)


def _app_auth(credentials: App) -> AppAuth:
    auth = AppAuth(credentials.app_id, credentials.private_key or "-")
    try:
        auth.create_jwt()
    except Exception:  # whatever PyJWT and cryptography say of a key, it may quote it
        raise ValueError("expected the App's private key as PEM (RSA); check how private_key is configured") from None
    return auth


def _json(reply: Reply, where: str) -> object:
    try:
        return parsed(reply.body, where)
    except UnexpectedShape as problem:
        raise Unreachable(str(problem)) from problem


def _timestamp(moment: datetime) -> float:
    return moment.timestamp()
