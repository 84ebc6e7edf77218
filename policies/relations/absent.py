"""No relations configured: whoever asks is told so. Not answering beats answering no."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from policies.errors import RelationsRefused
from policies.model import Question
from policies.relations.port import NOTHING_GIVEN, Given


class NoRelations:
    """`Relations` where nothing is configured: any question is refused, none asked is none answered."""

    async def answers(self, questions: Sequence[Question], *, at: datetime, given: Given = NOTHING_GIVEN) -> Mapping[Question, bool]:
        if not questions:
            return {}
        first = questions[0]
        refusal = RelationsRefused(
            f"no relations are configured, and a policy asks whether {first.user} is {first.relation} of {first.object}"
        )
        refusal.advice = "give --relations FILE, an OpenFGA store file; `admit relations export` writes the one of a running gateway"
        raise refusal

    async def close(self) -> None:
        return None
