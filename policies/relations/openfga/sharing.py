"""Calls to a server that judgements share: who asks while one is under way goes along with the next.

A turn is one batch of questions; with its answers the next turn may begin, while the store's state is read for those of this
one. Why answers and state still belong together: the turn begins after each of its judgements asked, as a call of its own
would, and its reading begins after all its answers are there. So no answer is older than one got alone, and no change between
question and answer is missed. And one answer serves two judgements only where everything is equal that it can depend on, but
for the stored tuples (`Check`).

Nobody is spoiled by others. Whatever goes wrong in a shared turn, be it refused for one of the questions, failed or slow,
each judgement asks again by itself and is told of its own. Nobody waits for a time to pass, only for the turn under way, and
for that at most `patience`.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from policies.errors import RelationsError
from policies.model import Json, Question
from policies.relations.asking import context_at
from policies.relations.openfga.documents import Answer
from policies.relations.openfga.state import SharedState, State
from policies.relations.tuples import RelationshipTuple

AT_ONCE = 50  # the server's maxChecksPerBatchCheck


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A question with what else its answer can depend on. at: the second that conditions are told."""

    question: Question
    at: datetime
    along: tuple[RelationshipTuple, ...]

    def document(self, id: str) -> dict[str, Json]:
        """As the server wants it."""
        check: dict[str, Json] = {"tuple_key": _key(self.question), "context": context_at(self.at), "correlation_id": id}
        if self.along:
            check["contextual_tuples"] = {"tuple_keys": [_key(one) for one in self.along]}
        return check


def _key(one: Question | RelationshipTuple) -> dict[str, Json]:
    return {"user": one.user, "relation": one.relation, "object": one.object}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Answers to what was asked, perhaps among others, and the store's state as read after them."""

    answers: Mapping[Check, Answer]
    after: State


class AnswersChecks(Protocol):
    """Whoever answers a batch."""

    async def checked(self, checks: Sequence[Mapping[str, Json]], model_id: str) -> Mapping[str, Answer]:
        """Answers by correlation id; at most 50 checks. Raises RelationsError."""


@dataclass(slots=True, kw_only=True, eq=False)
class _Asked:
    """A judgement's part. told: what its turn found, None for "ask by yourself"; answered: its questions are out of the way."""

    checks: Sequence[Check]
    model_id: str
    told: asyncio.Future[Found | None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, found: Found | None) -> None:
        """Once: whoever has been told, or has given up, is left alone."""
        if not self.told.done():
            self.told.set_result(found)


class SharedCalls:
    """Made in a running event loop. patience: seconds that a shared turn may take, and that others wait for one."""

    def __init__(self, server: AnswersChecks, state: SharedState, *, patience: float) -> None:
        self._server, self._state, self._patience = server, state, patience
        self._waiting: list[_Asked] = []
        self._turns: asyncio.Task[None] | None = None
        self._readings: set[asyncio.Task[None]] = set()

    async def answers(self, checks: Sequence[Check], model_id: str) -> Found:
        """An answer to each, from calls that begin after this one. Raises RelationsError, TimeoutError."""
        if len(checks) > AT_ONCE:  # several calls, most of them full
            return await self._alone(checks, model_id)
        asked = _Asked(checks=checks, model_id=model_id)
        self._waiting.append(asked)
        if self._turns is None or self._turns.done():
            self._turns = asyncio.create_task(self._take_turns())
        try:
            found = await asked.told
            return found if found is not None else await self._alone(checks, model_id, asked.answered)
        finally:
            asked.answered.set()

    async def _take_turns(self) -> None:
        while self._waiting:
            taken = self._taken()
            until = asyncio.get_running_loop().time() + self._patience
            answers: Mapping[Check, Answer] | None = None
            try:
                async with asyncio.timeout_at(until):
                    answers = await self._turn(taken)
            except (RelationsError, TimeoutError):
                pass  # each finds out for itself whose fault it is
            finally:
                if answers is None:
                    _tell(taken, None)
            if answers is not None:
                reading = asyncio.create_task(self._read_for(taken, answers, until))
                self._readings.add(reading)
                reading.add_done_callback(self._readings.discard)

    async def _read_for(self, taken: Sequence[_Asked], answers: Mapping[Check, Answer], until: float) -> None:
        found = None
        try:
            async with asyncio.timeout_at(until):
                found = Found(answers=answers, after=await self._state.read())
        except (RelationsError, TimeoutError):
            pass
        finally:
            _tell(taken, found)

    def _taken(self) -> list[_Asked]:
        """Who goes next, in the order they came: of one model, and no more than one call holds."""
        waiting = [asked for asked in self._waiting if not asked.told.done()]
        taken: list[_Asked] = []
        checks: set[Check] = set()
        for asked in waiting:
            checks.update(asked.checks)
            if asked.model_id != waiting[0].model_id or len(checks) > AT_ONCE:
                break
            taken.append(asked)
        self._waiting = waiting[len(taken) :]
        return taken

    async def _turn(self, taken: Sequence[_Asked]) -> Mapping[Check, Answer] | None:
        """The answers for those who took part; None where there are none to share."""
        if len(taken) > 1:
            checks = tuple(dict.fromkeys(check for asked in taken for check in asked.checks))
            return await _answered(self._server, checks, taken[0].model_id)
        for one in taken:  # its call is its own, to wait for and to give up
            one.tell(None)
            await one.answered.wait()
        return None

    async def _alone(self, checks: Sequence[Check], model_id: str, answered: asyncio.Event | None = None) -> Found:
        """In as many calls as it takes. One that fails ends the others. answered: told once all answers are there."""
        parts = [checks[n : n + AT_ONCE] for n in range(0, len(checks), AT_ONCE)]
        try:
            async with asyncio.TaskGroup() as group:
                calls = [group.create_task(_answered(self._server, part, model_id)) for part in parts]
        except* RelationsError as faults:
            fault = faults.exceptions[0]
        else:
            answers = {check: answer for call in calls for check, answer in call.result().items()}
            if answered is not None:
                answered.set()
            return Found(answers=answers, after=await self._state.read())
        raise fault

    async def close(self) -> None:
        """No shared turn goes on, or begins."""
        tasks = [*self._readings, *([self._turns] if self._turns is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for asked in self._waiting:
            asked.tell(None)


def _tell(taken: Sequence[_Asked], found: Found | None) -> None:
    for asked in taken:
        asked.tell(found)


async def _answered(server: AnswersChecks, checks: Sequence[Check], model_id: str) -> Mapping[Check, Answer]:
    # Ids that no other call uses: the answer to somebody else's batch cannot be taken for ours.
    prefix = secrets.token_hex(8)
    ids = {f"{prefix}-{number}": check for number, check in enumerate(checks)}
    answers = await server.checked([check.document(id) for id, check in ids.items()], model_id)
    return {check: answers[id] for id, check in ids.items()}
