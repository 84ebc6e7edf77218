"""What tier 1 may ask of tier 3: the operations, handed over by wiring."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.operations.access import Tokens
from gateway.operations.admissions import JudgeOnRequest
from gateway.operations.in_force import InForce
from gateway.operations.receive import ReceiveDelivery
from gateway.storage import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Every operation the HTTP interface and the pages call.

    wake: dispatches were committed, tell the durable core. alive: raises when a part that must run does not.
    open_pages: everybody may read every page (the demo); else facts and lists are for those with a token.
    """

    receive: ReceiveDelivery
    judge_on_request: JudgeOnRequest
    in_force: InForce
    tokens: Tokens
    storage: Storage
    wake: Callable[[], None]
    alive: Callable[[], Awaitable[None]]
    version: str
    open_pages: bool = False
