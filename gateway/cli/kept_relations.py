"""The relations of the gateway that is configured here, for a dry run: opened when a policy asks, since most ask nobody.

Only read. Where the gateway has never run there are none, and whoever asks is told how to give some.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from gateway import wiring
from gateway.errors import GatewayError
from policies.relations.port import NOTHING_GIVEN, Given

if TYPE_CHECKING:
    from gateway.config import Settings
    from gateway.storage import Database
    from policies.model import Question
    from policies.relations import Relations


class KeptRelations:
    """`Relations` of the gateway's own database."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._database: Database | None = None
        self._answering: Relations | None = None

    async def answers(self, questions: Sequence[Question], *, at: datetime, given: Given = NOTHING_GIVEN) -> Mapping[Question, bool]:
        """See the port."""
        if not questions:
            return {}
        if self._answering is None:
            self._answering = self._opened()
        return await self._answering.answers(questions, at=at, given=given)

    async def close(self) -> None:
        """Close what was opened."""
        if self._answering is not None:
            await self._answering.close()
        if self._database is not None:
            await self._database.close()

    def _opened(self) -> Relations:
        try:
            self._database = wiring.existing_database(self._settings)
        except GatewayError:
            return wiring.build_relations(None)
        return wiring.build_relations(self._settings.relations, self._database)
