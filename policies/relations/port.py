"""The port to relationship checks, in OpenFGA's words: object # relation @ user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

from policies.model import Question

if TYPE_CHECKING:
    from policies.relations.listing import Listing
    from policies.relations.tuples import RelationshipTuple

Given: TypeAlias = "Mapping[str, Sequence[RelationshipTuple]]"
"""Object → tuples about it that count for one batch beside those that are stored (OpenFGA's contextual tuples)."""
NOTHING_GIVEN: Given = MappingProxyType({})


class Relations(Protocol):
    """Answers relationship questions, all of one judgement in one batch."""

    async def answers(self, questions: Sequence[Question], *, at: datetime, given: Given = NOTHING_GIVEN) -> Mapping[Question, bool]:
        """Every question → related or not, from one consistent state, conditions evaluated in the second of `at`.

        given: a question sees the tuples of its own object, at most 100 of them, and no others.
        No answer is ever guessed: all questions are answered, or it raises.
        Raises RelationsUnavailable (asking later may help) and RelationsRefused, which names the question (unknown type or relation,
        malformed name, no model, a given tuple that the model does not allow: asking later will not help).
        """

    async def close(self) -> None:
        """Let go of connections."""


@runtime_checkable
class Explaining(Protocol):
    """Tells who is related and why, for people to read: as relations are when it is asked, and nothing is decided by it.

    Raises RelationsUnavailable and RelationsRefused, as `Relations` does.
    """

    async def who(self, relation: str, object: str, *, at: datetime, most: int, given: Given = NOTHING_GIVEN) -> Listing:
        """The users who have the relation to the object, everybody as `user:*`."""

    async def reasons(
        self, questions: Sequence[Question], *, at: datetime, given: Given = NOTHING_GIVEN
    ) -> Mapping[Question, tuple[str, ...]]:
        """Why the answer is yes, in sentences from the object to the user; without those whose answer is no, or cannot be explained."""
