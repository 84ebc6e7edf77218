"""`/v1/relations`: the model, the tuples, and questions with the path that proves their answer."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from gateway.api.bodies import limited_body
from gateway.api.rights import caller, needs
from gateway.api.webhooks import Asked
from gateway.domain.access import Scope
from gateway.domain.relations import HeldTuple, person_source
from gateway.operations.own_relations import ModelInForce, OwnRelations
from gateway.operations.relate import LARGEST_MODEL, json_text
from gateway.storage.relation_documents import tuple_document
from gateway.storage.relations import TupleFilter
from policies import Json, rfc3339
from policies.relations import RelationshipTuple, TupleRefused
from policies.relations.store_file import tuple_from_json

router = APIRouter(prefix="/v1/relations", tags=["relations"])

_MODEL = {"required": True, "content": {"text/plain": {"schema": {"type": "string"}}, "application/json": {"schema": {"type": "object"}}}}
"""For /docs: what cannot be told from the function's parameters."""


class Edit(BaseModel):
    """Tuples in OpenFGA's form: `{user, relation, object, condition: {name, context}}`."""

    model_config = ConfigDict(extra="forbid")
    writes: list[dict[str, Any]] = Field(default_factory=list)
    deletes: list[dict[str, Any]] = Field(default_factory=list)


class _Beside(BaseModel):
    model_config = ConfigDict(extra="forbid")
    context: dict[str, Any] = Field(default_factory=dict)
    contextual_tuples: list[dict[str, Any]] = Field(default_factory=list)

    @property
    def contextual(self) -> list[RelationshipTuple]:
        return [tuple_from_json(one) for one in self.contextual_tuples]


class CheckAsked(_Beside):
    """Is `user` `relation` of `object`?"""

    user: str
    relation: str
    object: str


class ObjectsAsked(_Beside):
    """Of which objects of `type` is `user` `relation`?"""

    user: str
    relation: str
    type: str
    limit: int = Field(default=1000, ge=1, le=1000)


class UsersAsked(_Beside):
    """Which users of a kind (`user`, or `team#member` for usersets) are `relation` of `object`?"""

    object: str
    relation: str
    user_type: str = "user"
    limit: int = Field(default=1000, ge=1, le=1000)


@router.get("/model")
@needs(Scope.READER)
async def current_model(asked: Asked) -> dict[str, Any]:
    """The model in force; number 0 is the one to begin with."""
    return _model_document(await _own(asked).model())


@router.put("/model", openapi_extra={"requestBody": _MODEL})
@needs(Scope.ADMIN)
async def put_model(request: Request, asked: Asked) -> JSONResponse:
    """Bring a model into force: OpenFGA's DSL (`text/plain`) or its JSON form (`application/json`). 201: a new one.

    422: refused, every problem with its line and column; nothing has changed. Tuples it does not allow are kept and count
    for nothing: `not_allowed` says how many.
    """
    by = caller(request).name
    own = _own(asked)
    text, form = _model_text(request, await limited_body(request, LARGEST_MODEL))
    before = await own.store.head()
    model, not_allowed = await own.relate.model(text, form, by=by)
    asked.core.wake()
    return JSONResponse({**_model_document(await own.model()), "not_allowed": not_allowed}, 201 if model.number > before.model else 200)


@router.post("/tuples")
@needs(Scope.ADMIN)
async def edit_tuples(edit: Edit, request: Request, asked: Asked) -> dict[str, int]:
    """Write and delete tuples in one transaction, all or nothing; what is so already changes nothing.

    422: a tuple is malformed, the model does not allow it, or it comes from a forge and cannot be deleted here.
    """
    by = caller(request).name
    writes, deletes = _read(edit.writes, "writes"), _read(edit.deletes, "deletes")
    effect = await _own(asked).relate.tuples(source=person_source(by), by=by, writes=writes, deletes=deletes)
    asked.core.wake()
    unchanged = len(writes) + len(deletes) - len(effect.changes)
    return {"written": effect.written, "deleted": effect.deleted, "unchanged": unchanged}


@router.get("/tuples")
@needs(Scope.READER)
async def list_tuples(
    asked: Asked,
    object: str | None = None,
    relation: str | None = None,
    user: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[int | None, Query(ge=0, lt=2**63)] = None,
) -> dict[str, Any]:
    """Tuples and who holds each, in the order in which they came; `relation` goes with an object."""
    if relation is not None and object is None:
        raise HTTPException(422, "relation: expected together with an object")
    wanted = TupleFilter(object=object, relation=relation, user=user)
    page = await _own(asked).store.tuples(wanted, limit=limit, cursor=cursor)
    return {"tuples": [_held(held) for held in page.tuples], "cursor": page.cursor}


@router.post("/check")
@needs(Scope.READER)
async def check(question: CheckAsked, asked: Asked) -> dict[str, Any]:
    """Whether it is so and, where it is, the path that proves it, from the object to the user."""
    own = _own(asked)
    model, path = await own.path(
        question.user, question.relation, question.object, context=question.context, contextual=question.contextual
    )
    return {"allowed": path is not None, "path": list(path or ()), "model": model}


@router.post("/list-objects")
@needs(Scope.READER)
async def list_objects(question: ObjectsAsked, asked: Asked) -> dict[str, Any]:
    """Names in order; not `complete`: there are more than `limit`."""
    found = await _own(asked).objects(
        question.user,
        question.relation,
        question.type,
        context=question.context,
        contextual=question.contextual,
        most=question.limit,
    )
    return {"objects": list(found.names), "complete": found.complete}


@router.post("/list-users")
@needs(Scope.READER)
async def list_users(question: UsersAsked, asked: Asked) -> dict[str, Any]:
    """Names in order, everybody as `type:*`; not `complete`: there are more than `limit`."""
    found = await _own(asked).users(
        question.object,
        question.relation,
        question.user_type,
        context=question.context,
        contextual=question.contextual,
        most=question.limit,
    )
    return {"users": list(found.names), "complete": found.complete}


def _own(asked: Asked) -> OwnRelations:
    """Relations kept by this gateway. Raises 409 where somebody else answers."""
    if asked.own_relations is None:
        raise HTTPException(409, "relations are not kept by this gateway: `relations` in admit.yaml names a file or an OpenFGA server")
    return asked.own_relations


def _model_text(request: Request, body: bytes) -> tuple[str, str]:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise HTTPException(400, f"the model is not UTF-8: {problem.reason} at byte {problem.start}") from problem
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return text, "dsl"
    try:
        document: Json = json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise HTTPException(400, f"the model is not JSON: {problem}") from problem
    return json_text(document), "json"


def _read(tuples: list[dict[str, Any]], where: str) -> list[RelationshipTuple]:
    return [_tuple(one, f"{where}.{number}") for number, one in enumerate(tuples)]


def _tuple(document: dict[str, Any], where: str) -> RelationshipTuple:
    try:
        return tuple_from_json(document)
    except TupleRefused as problem:
        raise TupleRefused(f"{where}: {problem}") from problem


def _held(held: HeldTuple) -> dict[str, Json]:
    return {**tuple_document(held.tuple), "sources": list(held.sources)}


def _model_document(model: ModelInForce) -> dict[str, Json]:
    at = rfc3339(model.at) if model.at else None
    return {"id": model.id, "number": model.number, "form": model.form, "model": model.text, "at": at, "by": model.by}
