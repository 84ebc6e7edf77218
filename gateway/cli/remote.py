"""A running gateway, as commands talk to it: its address, its token, and its problems in plain words."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from gateway.errors import ConfigurationWrong, GatewayError

Url = Annotated[
    str | None, typer.Option("--url", envvar="ADMIT_URL", help="The gateway; by default public_url of admit.yaml.", show_default=False)
]

_PATIENCE = 120.0
"""Seconds: a bundle is compiled and tested before the answer comes."""


class Refused(GatewayError):
    """The gateway said no. `status`: its HTTP status. `said`: the whole problem document, empty where it sent none."""

    def __init__(self, message: str, *, status: int, advice: str | None = None, said: dict[str, Any] | None = None) -> None:
        super().__init__(message, advice=advice)
        self.status = status
        self.said = said or {}


def ask(method: str, base: str, path: str, **request: Any) -> Any:
    """The JSON answer of one request. Raises Refused, and ConfigurationWrong without a token."""
    import httpx

    headers = {**_authorization(), **request.pop("headers", {})}
    with _reached(base):
        answer = httpx.request(method, base.rstrip("/") + path, headers=headers, timeout=_PATIENCE, **request)
    if answer.is_success:
        return answer.json()
    raise _refused(answer)


def follow(base: str, path: str) -> Iterator[Any]:
    """The data of each server-sent event, as JSON, until the other side has said all. Raises as `ask`."""
    import httpx

    timeout = httpx.Timeout(_PATIENCE, read=None)  # nothing happens for as long as nothing happens
    with _reached(base), httpx.stream("GET", base.rstrip("/") + path, headers=_authorization(), timeout=timeout) as answer:
        if not answer.is_success:
            answer.read()
            raise _refused(answer)
        for line in answer.iter_lines():
            if line.startswith("data: "):
                yield json.loads(line.removeprefix("data: "))


def _authorization() -> dict[str, str]:
    token = os.environ.get("ADMIT_TOKEN")
    if not token:
        raise ConfigurationWrong("the gateway wants a token", advice="set ADMIT_TOKEN to one of its API tokens")
    return {"Authorization": f"Bearer {token}"}


@contextmanager
def _reached(base: str) -> Iterator[None]:
    import httpx

    try:
        yield
    except (httpx.TransportError, httpx.InvalidURL) as problem:
        raise GatewayError(f"the gateway at {base} cannot be reached: {problem}", advice="is it running? name it with --url") from problem


def _refused(answer: Any) -> Refused:
    """The problem document's own words, where there is one."""
    try:
        said = answer.json()
        detail, advice = str(said["detail"]), said.get("advice")
    except (ValueError, KeyError, TypeError):
        said, detail = {}, f"the answer was {answer.status_code}, and not from a gateway"
        advice = "check the address given with --url"
    return Refused(detail, status=answer.status_code, advice=advice, said=said)
