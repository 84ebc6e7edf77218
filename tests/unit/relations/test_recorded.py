"""Answers from a record, and assumed ones: what was not recorded is refused, what was not assumed does not hold."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from policies.errors import RelationsRefused
from policies.model import Question
from policies.relations.assumed import AssumedRelations
from policies.relations.recorded import RecordedRelations

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
OWNER = Question(user="user:work/7", relation="owner", object="repository:work/12")
WRITER = Question(user="user:work/7", relation="writer", object="repository:work/12")


def test_recorded_answers_are_given_again():
    """Yes stays yes and no stays no."""
    answers = asyncio.run(RecordedRelations({OWNER: True, WRITER: False}).answers([WRITER, OWNER], at=NOON))
    assert answers == {OWNER: True, WRITER: False}


def test_a_question_that_was_not_recorded_is_refused():
    """It names the question; it never answers no."""
    with pytest.raises(RelationsRefused, match="user:work/7 is writer of repository:work/12"):
        asyncio.run(RecordedRelations({OWNER: True}).answers([OWNER, WRITER], at=NOON))


def test_only_what_is_assumed_holds():
    """Everything else is answered with no."""
    assert asyncio.run(AssumedRelations([OWNER]).answers([OWNER, WRITER], at=NOON)) == {OWNER: True, WRITER: False}
