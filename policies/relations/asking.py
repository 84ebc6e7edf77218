"""What every adapter does with questions alike: how many there may be, what conditions are told, how a question is named."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from policies.errors import RelationsRefused
from policies.model import Json, Question, rfc3339
from policies.relations import names
from policies.relations.port import Given
from policies.relations.refusals import QuestionRefused

if TYPE_CHECKING:
    from policies.relations.tuples import RelationshipTuple

MOST_QUESTIONS = 500  # in one batch: what policies may ask for one judgement
MOST_GIVEN = 100  # tuples along with one question: the server's limit of contextual tuples


def require_few(questions: Sequence[Question]) -> None:
    """Raises QuestionRefused for more questions than one judgement may ask."""
    if len(questions) > MOST_QUESTIONS:
        raise QuestionRefused(f"at most {MOST_QUESTIONS} questions are answered at once, found {len(questions)}")


def given_to(question: Question, given: Given) -> Sequence[RelationshipTuple]:
    """The tuples that go along with a question. Raises QuestionRefused for more than a server takes."""
    tuples = given.get(question.object, ())
    if len(tuples) > MOST_GIVEN:
        raise unanswerable(question, f"{len(tuples)} tuples would have to go along with it, at most {MOST_GIVEN} may")
    return tuples


def context_at(at: datetime) -> dict[str, Json]:
    """What conditions know of a judgement: its second as `current_time`, the parameter OpenFGA's own examples use."""
    return {"current_time": rfc3339(whole_second(at))}


def whole_second(at: datetime) -> datetime:
    """The second that a moment is in.

    `current_time < end` is the same by it wherever `end` is a whole second, which is how grants are written; and judgements
    of one second have one question where they ask the same.
    """
    return at.replace(microsecond=0)


def require_names(question: Question) -> None:
    """Raises QuestionRefused for names no server takes: some are answered with a shrug, others fail a whole batch unnamed."""
    try:
        names.user_name(question.user)
        names.relation_name(question.relation)
        names.object_type(question.object)
    except RelationsRefused as problem:
        raise unanswerable(question, str(problem), advice=problem.advice) from problem


def unanswerable(question: Question, why: str, *, advice: str | None = None) -> QuestionRefused:
    """The refusal that names the question, however long its names are."""
    asked = f"whether {question.user[:100]!a} is {question.relation[:60]!a} of {question.object[:100]!a}"
    refusal = QuestionRefused(f"{asked} cannot be answered: {why}")
    refusal.advice = advice
    return refusal
