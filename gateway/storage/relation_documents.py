"""How tuples, their changes and models are written down and read back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from gateway.domain.relations import HeldTuple, TupleChange
from gateway.storage.relations import StoredModel
from policies.model import Json, rfc3339
from policies.relations import RelationshipTuple


def tuple_document(one: RelationshipTuple) -> dict[str, Json]:
    """In OpenFGA's form: `condition` only where there is one."""
    document: dict[str, Json] = {"user": one.user, "relation": one.relation, "object": one.object}
    if one.condition is not None:
        document["condition"] = {"name": one.condition, **({"context": dict(one.context)} if one.context else {})}
    return document


def tuple_from_document(document: dict[str, Any]) -> RelationshipTuple:
    condition = document.get("condition") or {}
    return RelationshipTuple(
        object=document["object"],
        relation=document["relation"],
        user=document["user"],
        condition=condition.get("name"),
        context=condition.get("context", {}),
    )


def held_document(held: HeldTuple) -> dict[str, Json]:
    return {"tuple": tuple_document(held.tuple), "sources": list(held.sources)}


def held_from_document(document: dict[str, Any]) -> HeldTuple:
    return HeldTuple(tuple=tuple_from_document(document["tuple"]), sources=tuple(document["sources"]))


def change_document(change: TupleChange) -> dict[str, Json]:
    return {
        "sequence": change.sequence,
        "at": rfc3339(change.at),
        "source": change.source,
        "written": change.written,
        "tuple": tuple_document(change.tuple),
    }


def change_from_document(document: dict[str, Any]) -> TupleChange:
    at, one = datetime.fromisoformat(document["at"]), tuple_from_document(document["tuple"])
    return TupleChange(sequence=document["sequence"], at=at, source=document["source"], written=document["written"], tuple=one)


def model_document(model: StoredModel) -> dict[str, Json]:
    return {"number": model.number, "text": model.text, "form": model.form, "at": rfc3339(model.at), "by": model.by}


def model_from_document(document: dict[str, Any]) -> StoredModel:
    return StoredModel(**{**document, "at": datetime.fromisoformat(document["at"])})
