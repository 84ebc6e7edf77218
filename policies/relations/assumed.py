"""Relations somebody assumes: exactly these hold and no other. For cases and what-ifs, where a model would say nothing more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from policies.model import Question
from policies.relations.port import NOTHING_GIVEN, Given


class AssumedRelations:
    """`Relations` of which exactly the given ones hold."""

    def __init__(self, related: Iterable[Question]) -> None:
        self._related = frozenset(related)

    async def answers(self, questions: Sequence[Question], *, at: datetime, given: Given = NOTHING_GIVEN) -> Mapping[Question, bool]:
        return {question: question in self._related for question in questions}

    async def close(self) -> None:
        return None
