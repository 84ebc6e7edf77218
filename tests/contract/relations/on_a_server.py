"""The adapter of an OpenFGA server as tests have it: a store of its own on the session's server, or on another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from policies.model import Question
from policies.relations import RelationshipTuple
from policies.relations.dsl import parse_model
from policies.relations.json_form import model_to_json
from policies.relations.openfga import OpenFgaRelations
from tests.servers.openfga import OpenFga, Store, session_openfga

PATIENCE = 240.0
"""Seconds a busy machine may take for questions that are to be answered."""


def a_store(model: str, tuples: Iterable[RelationshipTuple] = (), *, openfga: OpenFga | None = None) -> Store:
    """A store with this model (DSL) and these tuples."""
    store = (openfga or session_openfga()).store(model_to_json(parse_model(model)))
    store.write([_as_json(one) for one in tuples])
    return store


class AskedOnce:
    """The adapter for tests in which every question has an event loop of its own: connected for each, and closed."""

    def __init__(self, **settings: Any) -> None:
        self._settings = {"deadline": PATIENCE, **settings}

    async def answers(self, questions: Sequence[Question], *, at: datetime, **more) -> Mapping[Question, bool]:
        return await self._asked("answers", questions, at=at, **more)

    async def reasons(self, questions, **more):
        return await self._asked("reasons", questions, **more)

    async def who(self, relation, object, **more):
        return await self._asked("who", relation, object, **more)

    async def _asked(self, method, *args, **more):
        relations = OpenFgaRelations(**self._settings)
        try:
            return await getattr(relations, method)(*args, **more)
        finally:
            await relations.close()

    async def close(self) -> None:
        return None


def served(model: str, tuples: Iterable[RelationshipTuple]) -> AskedOnce:
    """For the port's exam."""
    openfga = session_openfga()
    return AskedOnce(api_url=openfga.url, store_id=a_store(model, tuples).id)


def _as_json(one: RelationshipTuple) -> dict[str, Any]:
    plain = {"user": one.user, "relation": one.relation, "object": one.object}
    return {**plain, "condition": {"name": one.condition, "context": dict(one.context)}} if one.condition else plain
