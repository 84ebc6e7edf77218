"""Who is related, and why, as a server knows it: for people to read beside an answer, never an answer itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime

from policies.errors import RelationsUnavailable
from policies.model import Json, Question
from policies.relations import names
from policies.relations.asking import context_at, given_to, require_names
from policies.relations.json_form import model_from_json
from policies.relations.listing import Listing
from policies.relations.openfga.reading import Explanation
from policies.relations.openfga.server import Server
from policies.relations.port import Given
from policies.relations.proof import sentences
from policies.relations.refusals import ConditionFailed, ModelRefused, QuestionRefused, TooDeep
from policies.relations.sound_model import SoundModel


class Explainer:
    """`Explaining` for one store. where: the server, as errors name it; deadline: seconds for each call."""

    def __init__(self, *, where: str, model_id: str | None, deadline: float) -> None:
        self._where, self._model_id, self._deadline = where, model_id, deadline
        self._read: tuple[str, SoundModel] | None = None

    async def who(self, server: Server, relation: str, object: str, *, at: datetime, most: int, given: Given) -> Listing:
        kind, _, id = object.partition(":")
        names.object_type(object)
        asked: dict[str, Json] = {
            "object": {"type": kind, "id": id},
            "relation": names.relation_name(relation),
            "user_filters": [{"type": "user"}],
            "context": context_at(at),
            "contextual_tuples": [{"user": o.user, "relation": o.relation, "object": o.object} for o in given.get(object, ())],
        }
        async with self._in_time("tell who it is"):
            found = await server.users(asked, self._model_id or await server.newest_model())
        return Listing(names=found[:most], complete=len(found) <= most)

    async def reasons(
        self, server: Server, questions: Sequence[Question], *, at: datetime, given: Given
    ) -> Mapping[Question, tuple[str, ...]]:
        found: dict[Question, tuple[str, ...]] = {}
        async with self._in_time("tell why it is so"):
            with suppress(ModelRefused):  # one that only a server knows how to read
                explanation = Explanation(await self._model(server), server, context_at(at))
                for question in questions:
                    with suppress(QuestionRefused, ConditionFailed, TooDeep):  # nothing to explain
                        require_names(question)
                        if proof := await explanation.proof(question, given_to(question, given)):
                            found[question] = tuple(sentences(proof))
        return found

    async def _model(self, server: Server) -> SoundModel:
        """A model never changes, so each is read once."""
        id = self._model_id or await server.newest_model()
        if self._read is None or self._read[0] != id:
            self._read = id, SoundModel(model_from_json(await server.model(id)))
        return self._read[1]

    @asynccontextmanager
    async def _in_time(self, what: str) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._deadline):
                yield
        except TimeoutError as problem:
            raise RelationsUnavailable(f"{self._where} did not {what} within {self._deadline:g} s") from problem
