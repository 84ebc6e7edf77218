"""Relationship checks by an OpenFGA server: in batches, and each judgement's under one model and one state.

- One model: `model_id`, which goes with every question and which nobody can change (a model on the server is immutable);
  else the store's newest, read before the questions and again after them. Another one in between makes the answers
  unavailable.
- One state: the store's list of changes is at the same place before and after; else all is asked again, at most 3 times. A
  server with `--changelog-horizon-offset` hides its newest changes, and then only each check by itself is of one state.
- Judgements at the same time share the readings (`state`) and the calls (`sharing`), and keep all this.
- Never a guess: a fault in any check, an answer that is missing or not as documented fails them all.

Two answers of OpenFGA's own cannot be made right from here (known in 1.22; `check` and the tests of the local
adapter against the server tell more). It drops the fault of a condition where another tuple of the same relation holds.
And where a circle of usersets or a conditional tuple beside `type:*` lies under `and` or `but not`, the answer is that
of the operand which is done first. Models without these are answered alike by both adapters.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from policies.errors import RelationsUnavailable
from policies.model import Json, Question, rfc3339
from policies.relations.answers import Answers
from policies.relations.asking import given_to, require_few, require_names, unanswerable, whole_second
from policies.relations.listing import Listing
from policies.relations.openfga.documents import Answer, Refused
from policies.relations.openfga.explaining import Explainer
from policies.relations.openfga.server import Credentials, Server
from policies.relations.openfga.sharing import Check, SharedCalls
from policies.relations.openfga.state import SharedState, State, first_state, later_state
from policies.relations.port import NOTHING_GIVEN, Given

TRIES = 3
PATIENCE = 1 / 3  # of a judgement's deadline: to wait for others' call, to share one, and if need be to ask by itself
_FOLLOWING = 20.0  # seconds for reading what changed, which no judgement waits for


@dataclass(frozen=True, slots=True, kw_only=True)
class _Connection:
    """What all judgements ask through."""

    server: Server
    state: SharedState
    calls: SharedCalls


class OpenFgaRelations:
    """`Relations` and `Explaining` answered by a server.

    model_id: the model to ask; None for the newest of the store, whichever that is when a judgement asks.
    deadline: seconds for all questions of a judgement together.
    """

    def __init__(
        self, *, api_url: str, store_id: str, model_id: str | None = None, credentials: Credentials | None = None, deadline: float = 2.0
    ) -> None:
        self._api_url, self._store_id, self._model_id = api_url, store_id, model_id
        self._credentials, self._deadline = credentials, deadline
        self._connection: _Connection | None = None
        self._explainer = Explainer(where=f"the OpenFGA server {api_url}", model_id=model_id, deadline=deadline)

    async def answers(self, questions: Sequence[Question], *, at: datetime, given: Given = NOTHING_GIVEN) -> Mapping[Question, bool]:
        """Every question → related or not, under one model and from one state; conditions see `at` as `current_time`."""
        require_few(questions)
        wanted = tuple(dict.fromkeys(questions))
        for question in wanted:
            require_names(question)
        if not wanted:
            return {}
        try:
            async with asyncio.timeout(self._deadline):
                return await self._from_one_state(wanted, at, given)
        except TimeoutError as problem:
            raise RelationsUnavailable(
                f"the OpenFGA server {self._api_url} did not answer {len(wanted)} questions within {self._deadline:g} s"
            ) from problem

    async def _from_one_state(self, questions: Sequence[Question], at: datetime, given: Given) -> Mapping[Question, bool]:
        connection = self._connected()
        checks = [Check(question=question, at=whole_second(at), along=tuple(given_to(question, given))) for question in questions]
        # What was known of a pinned store before this judgement will do: at worst it has changed since, and all is asked again.
        known = connection.state.known if self._model_id is not None else None
        before = known or await connection.state.read()
        for _ in range(TRIES if known is None else TRIES + 1):
            found = await connection.calls.answers(checks, before.model_id)
            if found.after == before:
                return Answers({check.question: _plain(check.question, found.answers[check]) for check in checks}, model=before.model_id)
            if found.after.model_id != before.model_id:
                raise RelationsUnavailable(
                    f"the model changed from {before.model_id} to {found.after.model_id} while questions were answered"
                )
            before = found.after
        raise RelationsUnavailable(f"the tuples changed during each of {TRIES} tries to answer {len(questions)} questions")

    def _connected(self) -> _Connection:
        """Made by the first judgement, since it belongs to the event loop it is made in."""
        if self._connection is None:
            server = Server(api_url=self._api_url, store_id=self._store_id, credentials=self._credentials, deadline=self._deadline)
            state = SharedState(server, pinned=self._model_id, deadline=self._deadline)
            calls = SharedCalls(server, state, patience=self._deadline * PATIENCE)
            self._connection = _Connection(server=server, state=state, calls=calls)
        return self._connection

    async def changed_since(self, mark: Json) -> tuple[Json, bool]:
        """A mark of the store as it is now, and whether model or tuples changed since `mark`; None = begin now.

        A mark is what this method gave before, kept as JSON. Raises RelationsError.
        """
        server = self._connected().server
        try:
            async with asyncio.timeout(max(self._deadline, _FOLLOWING)):
                if not isinstance(mark, Mapping):
                    return _mark(await first_state(server, self._model_id)), False
                return await self._moved(server, mark)
        except TimeoutError as problem:
            raise RelationsUnavailable(f"the OpenFGA server {self._api_url} did not tell what changed within {_FOLLOWING:g} s") from problem

    async def _moved(self, server: Server, mark: Mapping[str, Json]) -> tuple[Json, bool]:
        since, token = datetime.fromisoformat(str(mark["since"])), str(mark["token"])
        before = State(model_id=str(mark["model_id"]), token=token, since=since)
        after = await later_state(server, self._model_id, before)
        return _mark(after), after != before

    async def who(self, relation: str, object: str, *, at: datetime, most: int, given: Given = NOTHING_GIVEN) -> Listing:
        server = self._connected().server
        return await self._explainer.who(server, relation, object, at=at, most=most, given=given)

    async def reasons(
        self, questions: Sequence[Question], *, at: datetime, given: Given = NOTHING_GIVEN
    ) -> Mapping[Question, tuple[str, ...]]:
        server = self._connected().server
        return await self._explainer.reasons(server, questions, at=at, given=given)

    async def probe(self) -> str:
        """Store and model, if the server is there and lets them be read. Raises RelationsError."""
        server = self._connected().server
        try:
            async with asyncio.timeout(self._deadline):
                await server.time()
                if self._model_id is not None:
                    await server.require_model(self._model_id)
                model = f"model {self._model_id}" if self._model_id else f"its newest model, now {await server.newest_model()}"
        except TimeoutError as problem:
            raise RelationsUnavailable(f"the OpenFGA server {self._api_url} did not answer within {self._deadline:g} s") from problem
        return f"answered by OpenFGA at {self._api_url}, store {self._store_id}, {model}"

    async def close(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await connection.calls.close()
            await connection.state.close()
            await connection.server.close()


def _mark(state: State) -> dict[str, Json]:
    return {"model_id": state.model_id, "token": state.token, "since": rfc3339(state.since)}


def _plain(question: Question, answer: Answer) -> bool:
    if isinstance(answer, Refused):
        raise unanswerable(question, answer.message)
    return answer
