"""How many calls a judgement costs on each forge, beside what a look at an idle repository costs. Calls, not seconds.

The change is a typical one: 20 files, 3 reviews, 5 checks, 10 comments. Gitea is a real server, GitHub and GitLab are the
tests' loopback servers, and the memory forge is free.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from unittest.mock import patch

import httpx
import pytest
import requests

from providers.vcs import ChangeKey, Status, StatusState
from tests.benchmarks.rows import Row
from tests.contract.vcs.stages import STAGES, Stage


async def measure() -> list[Row]:
    """One row a forge; one that needs a server which is not here is left out."""
    rows = []
    for name, stage_of in STAGES.items():
        with suppress(pytest.skip.Exception):
            stage = stage_of()
            try:
                rows.append(await _row(name, stage))
            finally:
                stage.check()
    return rows


async def _row(name: str, stage: Stage) -> Row:
    key = _typical(stage)
    forge = stage.forge()
    try:
        await forge.own_login()  # asked once for each connection
        with _counted() as judging:
            change = await forge.read_change(key)
            await forge.report(key.repository, change.head.sha, _status())
        await forge.open_changes(key.repository)
        with _counted() as looking:
            await forge.open_changes(key.repository)
    finally:
        await forge.close()
    assert (len(change.files), len(change.reviews), len(change.checks), len(change.comments or ())) == (20, 3, 5, 10)
    what = f"{name}: read a typical change and report"
    return Row(
        what=what, figure="calls", ours=len(judging), other=len(looking), alternative="a look at the idle repository", better="lower"
    )


def _typical(stage: Stage) -> ChangeKey:
    repository = stage.repository()
    sha = stage.push(repository, "feature", {f"{number}.txt": "x\n" for number in range(20)})
    key = stage.open_change(repository, "feature")
    for number in range(10):
        stage.comment(key, f"comment {number}", by="bob")
    for number in range(5):
        stage.post_status(repository, sha, f"ci/{number}", "success", by="robot")
    for login in ("bob", "carol", "dave"):
        stage.review(key, by=login)
    return key


def _status() -> Status:
    return Status(context="admit/main", state=StatusState.PENDING, description="judging", target_url="http://gate.test/")


@contextmanager
def _counted() -> Iterator[list[str]]:
    """What leaves the adapters meanwhile, whichever client they use."""
    sent: list[str] = []

    def counting(send: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(send)
        def counted(self: Any, request: Any, *more: Any, **options: Any) -> Any:
            sent.append(f"{request.method} {request.url}")
            return send(self, request, *more, **options)

        return counted

    with (
        patch.object(httpx.AsyncClient, "send", counting(httpx.AsyncClient.send)),
        patch.object(requests.Session, "send", counting(requests.Session.send)),
    ):
        yield sent
