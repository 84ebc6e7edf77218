"""Reading a change without some of its facts: what an adapter need not ask, and how it is told from what is not there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from providers.vcs.documents import Document
from providers.vcs.model import MAY_BE_LEFT_OUT, NOT_READ, Change


async def if_any(wanted: frozenset[str], ask: Callable[[], Awaitable[Sequence[Document]]]) -> Sequence[Document]:
    """What is asked, where one of the facts made of it is wanted; else nothing is asked."""
    return await ask() if wanted else ()


def without(change: Change, leave_out: frozenset[str]) -> Change:
    """The change without these facts, as far as they may be left out; whether they were read or not."""
    marks: dict[str, Any] = dict.fromkeys(leave_out & MAY_BE_LEFT_OUT, NOT_READ)
    return replace(change, **marks) if marks else change
