"""Who looks after the files of a change, as a decision on it recorded: what later questions about the same paths go along with."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from gateway.domain.record import Decision
from gateway.errors import StorageError
from gateway.storage import Storage
from policies.code_owners import given_of, is_path, path_prefix
from policies.relations.port import NOTHING_GIVEN, Given


async def recorded_owners(storage: Storage, decision: Decision, objects: Iterable[str]) -> Given:
    """The tuples for these objects; none where the facts are kept no more. Reads nothing where no object is a path."""
    if not any(is_path(object) for object in objects):
        return NOTHING_GIVEN
    facts = await _facts(storage, decision)
    owners = facts.get("code_owners")
    return NOTHING_GIVEN if owners is None else given_of(owners, prefix=path_prefix(facts["change"]["repository"]["ref"]))


async def owners_by(storage: Storage, decision: Decision) -> dict[str, Any] | None:
    """The `code_owners` of the facts it was based on; None where it asked for none, or the facts are kept no more."""
    return (await _facts(storage, decision)).get("code_owners")


async def _facts(storage: Storage, decision: Decision) -> dict[str, Any]:
    try:
        facts = await storage.blob(decision.input_digest)
    except StorageError:
        return {}  # erased
    document: dict[str, Any] = {} if facts is None else json.loads(facts)
    return document
