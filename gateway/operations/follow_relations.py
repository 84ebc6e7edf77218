"""Follow: what changed at a relationship server since it was looked at last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from policies import Json
from policies.errors import RelationsRefused, RelationsUnavailable
from providers.errors import PermanentError, TemporaryError


@runtime_checkable
class ChangingElsewhere(Protocol):
    """Relations that others change, and that can tell whether they did."""

    async def changed_since(self, mark: Json) -> tuple[Json, bool]:
        """A new mark, and whether model or tuples changed since the old one; None = begin now. Raises RelationsError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowRelations:
    """server: None where relations are kept here, or in a file."""

    server: ChangingElsewhere | None

    async def __call__(self, mark: Json) -> tuple[Json, bool] | None:
        """None where there is nothing to follow. Raises TemporaryError, and PermanentError where asking again will not help."""
        if self.server is None:
            return None
        try:
            return await self.server.changed_since(mark)
        except RelationsUnavailable as problem:
            raise TemporaryError(str(problem)) from problem
        except RelationsRefused as problem:
            raise PermanentError(str(problem), advice=problem.advice) from problem
