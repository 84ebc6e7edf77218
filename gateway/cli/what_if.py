"""What recorded decisions would have been by bundles that are not in force: read from the database, nothing written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway import wiring
from gateway.cli.safe_text import one_line
from gateway.config import Settings
from gateway.domain.explanation import subject_of
from gateway.domain.record import Decision
from gateway.errors import UnknownThing
from gateway.operations.evidence import ReadEvidence
from gateway.operations.in_force import InForce
from gateway.operations.what_if import WhatIf
from gateway.storage import DecisionFilter, Storage
from policies import Verdict
from policies.bundles.checking import checked_bundle
from policies.bundles.directory import read_bundle

_PAGE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Supposed:
    """A recorded decision by one bundle: the verdict it would have been, or why that cannot be told."""

    decision: Decision
    bundle: str
    result: Verdict | str

    @property
    def changes(self) -> bool:
        return isinstance(self.result, Verdict) and self.result.outcome is not self.decision.outcome


async def what_if(settings: Settings, folders: Sequence[Path], count: int, *, as_json: bool) -> str:
    """For people, or as JSON. Raises UnknownThing where there is nothing to judge again."""
    engine = wiring.build_engine(settings.engine)
    database = wiring.existing_database(settings)
    relations = wiring.build_relations(settings.relations, database)
    storage = wiring.build_storage(database)
    try:
        await storage.ready()
        judge = WhatIf(
            evidence=ReadEvidence(storage=storage, in_force=InForce(storage=storage, engine=engine)), engine=engine, relations=relations
        )
        bundles = [await checked_bundle(read_bundle(folder), engine, run_tests=False) for folder in folders]
        decisions = await _newest(storage, count)
        supposed = [
            Supposed(decision=decision, bundle=bundle.name, result=await judge(decision, bundle))
            for bundle in bundles
            for decision in decisions
        ]
    finally:
        await relations.close()
        await engine.close()
        await storage.close()
    if not supposed:
        raise UnknownThing("there is no bundle, or no recorded decision, to judge by", advice="name a folder, and see: GET /v1/decisions")
    return json.dumps([_document(one) for one in supposed], indent=2, ensure_ascii=False) if as_json else "\n".join(_lines(supposed))


async def _newest(storage: Storage, count: int) -> list[Decision]:
    found: list[Decision] = []
    cursor: str | None = None
    while len(found) < count:
        page = await storage.decisions(DecisionFilter(), limit=min(_PAGE, count - len(found)), cursor=cursor)
        found += page.decisions
        if (cursor := page.cursor) is None:
            break
    return found


def _lines(supposed: Sequence[Supposed]) -> Iterator[str]:
    for one in supposed:
        if one.changes:
            assert isinstance(one.result, Verdict)
            yield f"{one.decision.outcome.value} → {one.result.outcome.value}  {one_line(subject_of(one.decision))}  ({one.decision.id})"
            yield f"  {one_line(one.result.reason)}"
    untold = [one for one in supposed if isinstance(one.result, str)]
    for one in untold:
        yield f"cannot be told  {one_line(subject_of(one.decision))}  ({one.decision.id})"
        yield f"  {one_line(str(one.result))}"
    changing = sum(one.changes for one in supposed)
    yield f"{len(supposed)} decisions judged again: {changing} would change, {len(untold)} cannot be told"


def _document(one: Supposed) -> dict[str, Any]:
    told = isinstance(one.result, Verdict)
    return {
        "id": one.decision.id,
        "bundle": one.bundle,
        "was": one.decision.outcome.value,
        "would_be": one.result.outcome.value if isinstance(one.result, Verdict) else None,
        "reason": one.result.reason if isinstance(one.result, Verdict) else one.result,
        "changes": one.changes if told else None,
    }
