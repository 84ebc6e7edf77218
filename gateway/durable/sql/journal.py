"""How runs reach their tables: all that is ready to be written, many runs in one transaction.

Appends handed in while a commit is under way wait for it and go together with the next: that is where the throughput
comes from. What is written how stands in `appending`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

import structlog

from gateway.durable.sql.appending import Append, Verdict, write_appends
from gateway.durable.sql.batching import Batches
from gateway.errors import DatabaseUnavailable
from gateway.storage.database import Database

log = structlog.get_logger(__name__)

_PATIENCE = 0.5
"""Seconds between tries while the database does not answer."""


class Journal:
    """The one way by which runs of this process reach their tables. `commits` counts."""

    def __init__(self, database: Database, owner: str) -> None:
        self._database = database
        self._owner = owner
        self._batches: Batches[Append, Verdict] = Batches(self._commit)
        self.commits = 0

    async def append(self, append: Append) -> Verdict:
        """Returns once it is committed or refused. Waits for as long as the database does not answer."""
        return await self._batches.submit(append)

    async def _commit(self, batch: Sequence[Append]) -> Sequence[Verdict]:
        uncertain = False
        while True:
            try:
                work = partial(write_appends, batch=batch, owner=self._owner, uncertain=uncertain)
                verdicts = await self._database.write(work, prepared=True)
            except DatabaseUnavailable as problem:
                log.warning("histories wait for the database", runs=len(batch), problem=str(problem))
                uncertain = True  # the commit may have happened although nobody could say so
                await asyncio.sleep(_PATIENCE)
            else:
                self.commits += 1
                return verdicts
