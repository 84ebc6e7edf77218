"""Relations as a decision recorded them: what replay answers from, so that nothing asked today can change what was said then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from policies.errors import RelationsRefused
from policies.model import Question
from policies.relations.answers import Answers
from policies.relations.port import NOTHING_GIVEN, Given, Relations


class RecordedRelations:
    """`Relations` that gives the recorded answers and refuses every question that was not recorded."""

    def __init__(self, recorded: Mapping[Question, bool]) -> None:
        self._recorded = dict(recorded)

    async def answers(self, questions: Sequence[Question], *, at: datetime, given: Given = NOTHING_GIVEN) -> Mapping[Question, bool]:
        for question in questions:
            if question not in self._recorded:
                raise RelationsRefused(
                    f"whether {question.user} is {question.relation} of {question.object} is asked, but no answer to it was recorded"
                )
        return {question: self._recorded[question] for question in questions}

    async def close(self) -> None:
        return None


class KnownFirst:
    """`Relations` that are answered as they were where that is known, and by somebody else where it is not."""

    def __init__(self, known: Mapping[Question, bool], otherwise: Relations) -> None:
        self._known, self._otherwise = known, otherwise

    async def answers(self, questions: Sequence[Question], *, at: datetime, given: Given = NOTHING_GIVEN) -> Mapping[Question, bool]:
        unknown = [question for question in questions if question not in self._known]
        asked = await self._otherwise.answers(unknown, at=at, given=given) if unknown else {}
        together = {**asked, **{question: self._known[question] for question in questions if question in self._known}}
        return Answers(together, model=asked.model) if isinstance(asked, Answers) else together

    async def close(self) -> None:
        return None
