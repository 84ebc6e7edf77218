"""Relationship checks in process: an own evaluator of OpenFGA models over tuples in memory.

The default where no OpenFGA server is configured, and what the dry run answers from. It means what a
server means by the same model and tuples (`check` says where it is stricter), and it can say why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from policies.errors import RelationsRefused, RelationsUnavailable
from policies.model import Json, Question
from policies.relations.asking import context_at, given_to, require_few, unanswerable
from policies.relations.check import Check
from policies.relations.evaluator import Evaluator
from policies.relations.kept import KeptAnswers
from policies.relations.listing import Listing
from policies.relations.model import AuthorizationModel
from policies.relations.port import NOTHING_GIVEN, Given
from policies.relations.proof import Proof, sentences
from policies.relations.sound_model import SoundModel
from policies.relations.store_file import read_store_file
from policies.relations.tuples import RelationshipTuple, TupleReader

AT_ONCE = 50  # questions answered before others on the event loop get their turn
TRIES = 3


class LocalRelations:
    """`Relations` and `Explaining` from a model and tuples. Raises ModelRefused for a model that is not sound."""

    def __init__(self, model: AuthorizationModel | SoundModel, tuples: TupleReader | Iterable[RelationshipTuple]) -> None:
        self.evaluator = Evaluator(model, tuples)
        self._kept = KeptAnswers(self.evaluator.model, self.evaluator.tuples)

    @classmethod
    def from_store_file(cls, source: Path | str) -> LocalRelations:
        """From OpenFGA's store file: its path, or (a str) its text. Raises RelationsRefused with the place of what is wrong."""
        store = read_store_file(source)
        return cls(store.model, store.tuples)

    async def answers(self, questions: Sequence[Question], *, at: datetime, given: Given = NOTHING_GIVEN) -> Mapping[Question, bool]:
        """Every question → related or not, from one state of the tuples; conditions see `at` as `current_time`."""
        require_few(questions)
        for _ in range(TRIES):
            version = self.evaluator.tuples.version
            answers = await self._answered(questions, at, given)
            if self.evaluator.tuples.version == version:
                return answers
        raise RelationsUnavailable(f"the tuples changed during each of {TRIES} tries to answer {len(questions)} questions")

    async def _answered(self, questions: Sequence[Question], at: datetime, given: Given) -> dict[Question, bool]:
        context = context_at(at)
        kept = self._kept.in_force(context)
        checks: dict[tuple[str, str], Check] = {}
        answers: dict[Question, bool] = {}
        for number, question in enumerate(questions, 1):
            alone = question.object not in given
            known = kept.get(question) if alone else None
            answers[question] = self._proof(question, context, checks, given) is not None if known is None else known
            if alone:
                kept[question] = answers[question]
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
        return answers

    def _proof(
        self, question: Question, context: Mapping[str, Json], checks: dict[tuple[str, str], Check], given: Given = NOTHING_GIVEN
    ) -> Proof | None:
        along = given_to(question, given)
        of = (question.user, question.object if along else "")
        try:
            check = checks.get(of)
            if check is None:
                check = checks[of] = self.evaluator.check(question.user, context=context, contextual=along)
            return check.proof(question.relation, question.object)
        except RelationsRefused as problem:
            raise unanswerable(question, str(problem), advice=problem.advice) from problem

    async def reasons(
        self, questions: Sequence[Question], *, at: datetime, given: Given = NOTHING_GIVEN
    ) -> Mapping[Question, tuple[str, ...]]:
        context = context_at(at)
        found: dict[Question, tuple[str, ...]] = {}
        for question in questions:
            with suppress(RelationsRefused):  # nothing to explain
                if proof := self._proof(question, context, {}, given):
                    found[question] = tuple(sentences(proof))
            await asyncio.sleep(0)
        return found

    async def who(self, relation: str, object: str, *, at: datetime, most: int, given: Given = NOTHING_GIVEN) -> Listing:
        along = given.get(object, ())
        return self.evaluator.users(object, relation, "user", context=context_at(at), contextual=along, most=most)

    async def close(self) -> None:
        return None
