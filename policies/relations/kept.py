"""Answers given before that still count: judgements of one repository ask much the same, and a new generation judges many again."""

from __future__ import annotations

from collections.abc import Mapping

from policies.model import Json, Question
from policies.relations.sound_model import SoundModel
from policies.relations.tuples import TupleReader

_MOST = 10_000


class KeptAnswers:
    """Of one state of the tuples, and, where any of them has a condition, of one context: conditions see the time."""

    def __init__(self, model: SoundModel, tuples: TupleReader) -> None:
        self._tuples = tuples
        self._may_have_conditions = [
            (type_name, relation.name)
            for type_name, defined in model.model.types.items()
            for relation in defined.relations.values()
            if any(one.condition is not None for one in relation.restrictions)
        ]
        self._version: object = None
        self._timeless = False
        self._context: Mapping[str, Json] | None = None
        self._answers: dict[Question, bool] = {}

    def in_force(self, context: Mapping[str, Json]) -> dict[Question, bool]:
        """Those that count in this context, to look in and to add to until the tuples change."""
        version = self._tuples.version
        if self._version != version:
            self._version = version
            self._timeless = not any(self._tuples.conditional(*node) for node in self._may_have_conditions)
        elif (self._timeless or self._context == context) and len(self._answers) < _MOST:
            return self._answers
        self._context, self._answers = context, {}
        return self._answers
