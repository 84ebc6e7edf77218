"""Relationship checks by an OpenFGA server: every judgement's questions in batches, under one model and one state.

- One model: `model_id`, which goes with every question and which nobody can change (a model on the server is immutable);
  else the store's newest, read before the questions and again after them. Another one in between makes the answers
  unavailable.
- One state: the store's list of changes is at the same place before and after (judgements share the reading, see `state`);
  else all is asked again, at most 3 times. A server with `--changelog-horizon-offset` hides its newest changes, and then only
  each check by itself is of one state.
- Never a guess: a fault in any check, an answer that is missing or not as documented fails them all.

Two answers of OpenFGA's own cannot be made right from here (known in 1.22; `check` and the tests of the local
adapter against the server tell more). It drops the fault of a condition where another tuple of the same relation holds.
And where a circle of usersets or a conditional tuple beside `type:*` lies under `and` or `but not`, the answer is that
of the operand which is done first. Models without these are answered alike by both adapters.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime

from policies.errors import RelationsError, RelationsUnavailable
from policies.model import Json, Question, rfc3339
from policies.relations.answers import Answers
from policies.relations.asking import context_at, given_to, require_few, require_names, unanswerable
from policies.relations.listing import Listing
from policies.relations.openfga.documents import Answer, Refused
from policies.relations.openfga.explaining import Explainer
from policies.relations.openfga.server import Credentials, Server
from policies.relations.openfga.state import SharedState, State, first_state, later_state
from policies.relations.port import NOTHING_GIVEN, Given

AT_ONCE = 50  # the server's maxChecksPerBatchCheck
TRIES = 3
_FOLLOWING = 20.0  # seconds for reading what changed, which no judgement waits for


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
        self._asked: tuple[Server, SharedState] | None = None
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
                return await self._from_one_state(wanted, context_at(at), given)
        except TimeoutError as problem:
            raise RelationsUnavailable(
                f"the OpenFGA server {self._api_url} did not answer {len(wanted)} questions within {self._deadline:g} s"
            ) from problem

    async def _from_one_state(self, questions: Sequence[Question], context: Mapping[str, Json], given: Given) -> Mapping[Question, bool]:
        server, state = self._connected()
        checks = [_check(question, context, given) for question in questions]
        # What was known of a pinned store before this judgement will do: at worst it has changed since, and all is asked again.
        known = state.known if self._model_id is not None else None
        before = known or await state.read()
        for _ in range(TRIES if known is None else TRIES + 1):
            answers = await _all_answers(server, checks, before.model_id)
            after = await state.read()
            if after == before:
                plain = {question: _plain(question, answer) for question, answer in zip(questions, answers, strict=True)}
                return Answers(plain, model=before.model_id)
            if after.model_id != before.model_id:
                raise RelationsUnavailable(f"the model changed from {before.model_id} to {after.model_id} while questions were answered")
            before = after
        raise RelationsUnavailable(f"the tuples changed during each of {TRIES} tries to answer {len(questions)} questions")

    def _connected(self) -> tuple[Server, SharedState]:
        """The client, made by the first judgement, since it belongs to the event loop it is made in."""
        if self._asked is None:
            server = Server(api_url=self._api_url, store_id=self._store_id, credentials=self._credentials, deadline=self._deadline)
            self._asked = server, SharedState(server, pinned=self._model_id, deadline=self._deadline)
        return self._asked

    async def changed_since(self, mark: Json) -> tuple[Json, bool]:
        """A mark of the store as it is now, and whether model or tuples changed since `mark`; None = begin now.

        A mark is what this method gave before, kept as JSON. Raises RelationsError.
        """
        server, _ = self._connected()
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
        server, _ = self._connected()
        return await self._explainer.who(server, relation, object, at=at, most=most, given=given)

    async def reasons(
        self, questions: Sequence[Question], *, at: datetime, given: Given = NOTHING_GIVEN
    ) -> Mapping[Question, tuple[str, ...]]:
        server, _ = self._connected()
        return await self._explainer.reasons(server, questions, at=at, given=given)

    async def probe(self) -> str:
        """Store and model, if the server is there and lets them be read. Raises RelationsError."""
        server, _ = self._connected()
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
        if self._asked is not None:
            (server, state), self._asked = self._asked, None
            await state.close()
            await server.close()


def _mark(state: State) -> dict[str, Json]:
    return {"model_id": state.model_id, "token": state.token, "since": rfc3339(state.since)}


async def _all_answers(server: Server, asked: Sequence[Mapping[str, Json]], model_id: str) -> list[Answer]:
    """In the order of what is asked. One that fails ends the others."""
    # Ids that no other judgement uses: the answer to somebody else's batch cannot be taken for ours.
    prefix = secrets.token_hex(8)
    checks = [{**check, "correlation_id": f"{prefix}-{number}"} for number, check in enumerate(asked)]
    try:
        async with asyncio.TaskGroup() as group:
            batches = [group.create_task(server.checked(checks[n : n + AT_ONCE], model_id)) for n in range(0, len(checks), AT_ONCE)]
    except* RelationsError as faults:
        fault = faults.exceptions[0]
    else:
        answers = {id: answer for batch in batches for id, answer in batch.result().items()}
        return [answers[str(check["correlation_id"])] for check in checks]
    raise fault


def _check(question: Question, context: Mapping[str, Json], given: Given) -> dict[str, Json]:
    check: dict[str, Json] = {"tuple_key": _key(question.user, question.relation, question.object), "context": dict(context)}
    if along := given_to(question, given):
        check["contextual_tuples"] = {"tuple_keys": [_key(one.user, one.relation, one.object) for one in along]}
    return check


def _key(user: str, relation: str, object: str) -> dict[str, Json]:
    return {"user": user, "relation": relation, "object": object}


def _plain(question: Question, answer: Answer) -> bool:
    if isinstance(answer, Refused):
        raise unanswerable(question, answer.message)
    return answer
