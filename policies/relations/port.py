"""The port to relationship checks, in OpenFGA's words: object # relation @ user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, TypeAlias

from policies.model import Question

if TYPE_CHECKING:
    from policies.relations.tuples import RelationshipTuple

Given: TypeAlias = "Mapping[str, Sequence[RelationshipTuple]]"
"""Object → tuples about it that count for one batch beside those that are stored (OpenFGA's contextual tuples)."""
NOTHING_GIVEN: Given = MappingProxyType({})


class Relations(Protocol):
    """Answers relationship questions, all of one judgement in one batch."""

    async def answers(self, questions: Sequence[Question], *, at: datetime, given: Given = NOTHING_GIVEN) -> Mapping[Question, bool]:
        """Every question → related or not, from one consistent state, conditions evaluated at `at`.

        given: a question sees the tuples of its own object, at most 100 of them, and no others.
        No answer is ever guessed: all questions are answered, or it raises.
        Raises RelationsUnavailable (asking later may help) and RelationsRefused, which names the question (unknown type or relation,
        malformed name, no model, a given tuple that the model does not allow: asking later will not help).
        """

    async def close(self) -> None:
        """Let go of connections."""
