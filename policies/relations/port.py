"""The port to relationship checks, in OpenFGA's words: object # relation @ user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from policies.model import Question


class Relations(Protocol):
    """Answers relationship questions, all of one judgement in one batch."""

    async def answers(self, questions: Sequence[Question], *, at: datetime) -> Mapping[Question, bool]:
        """Every question → related or not, from one consistent state, conditions evaluated at `at`.

        No answer is ever guessed: all questions are answered, or it raises.
        Raises RelationsUnavailable (asking later may help), RelationsRefused (unknown type or
        relation, malformed name, no model: asking later will not help; the message names the question).
        """

    async def close(self) -> None:
        """Let go of connections."""
