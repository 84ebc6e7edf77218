"""A running gateway, as commands talk to it: its address, its token, and its problems in plain words."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from gateway.errors import ConfigurationWrong, GatewayError

Url = Annotated[
    str | None, typer.Option("--url", envvar="ADMIT_URL", help="The gateway; by default public_url of admit.yaml.", show_default=False)
]

_PATIENCE = 120.0
"""Seconds: a bundle is compiled and tested before the answer comes."""


class Refused(GatewayError):
    """The gateway said no. `status`: its HTTP status."""

    def __init__(self, message: str, *, status: int, advice: str | None = None) -> None:
        super().__init__(message, advice=advice)
        self.status = status


def ask(method: str, base: str, path: str, **request: Any) -> Any:
    """The JSON answer of one request. Raises Refused, and ConfigurationWrong without a token."""
    import httpx

    token = os.environ.get("ADMIT_TOKEN")
    if not token:
        raise ConfigurationWrong("the gateway wants a token", advice="set ADMIT_TOKEN to one of its API tokens")
    headers = {"Authorization": f"Bearer {token}", **request.pop("headers", {})}
    try:
        answer = httpx.request(method, base.rstrip("/") + path, headers=headers, timeout=_PATIENCE, **request)
    except (httpx.TransportError, httpx.InvalidURL) as problem:
        raise GatewayError(f"the gateway at {base} cannot be reached: {problem}", advice="is it running? name it with --url") from problem
    if answer.is_success:
        return answer.json()
    raise _refused(answer)


def _refused(answer: Any) -> Refused:
    """The problem document's own words, where there is one."""
    try:
        said = answer.json()
        detail, advice = str(said["detail"]), said.get("advice")
    except (ValueError, KeyError, TypeError):
        detail, advice = f"the answer was {answer.status_code}, and not from a gateway", "check the address given with --url"
    return Refused(detail, status=answer.status_code, advice=advice)
