"""`/access/v1`: relationship checks in the words of the OpenID Authorization API (AuthZEN) 1.0.

https://openid.net/specs/authorization-api-1_0.html: subject and resource become `type:id`, the action's name the relation.
Properties say nothing to relationship checks; `context` gives conditions their values. What cannot be answered is an HTTP
error (400, as the standard has it, for everything that is wrong with the question) and, within a batch, `decision: false`
with the error beside it: never a permission.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from enum import StrEnum
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field

from gateway.api.problems import invalid, problem
from gateway.api.rights import needs
from gateway.api.services import Services
from gateway.api.webhooks import Asked
from gateway.domain.access import Scope
from gateway.domain.clock import utc_now
from policies import Question
from policies.errors import RelationsError, RelationsRefused, RelationsUnavailable


class _Refusing(APIRoute):
    """Whatever is wrong with a question is 400."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answered = super().get_route_handler()

        async def refusing(request: Request) -> Response:
            try:
                return await answered(request)
            except RequestValidationError as error:
                return invalid(error, 400)
            except RelationsRefused as error:
                return problem(400, str(error), advice=error.advice)

        return refusing


router = APIRouter(prefix="/access/v1", tags=["access"], route_class=_Refusing)

MOST = 500
"""Evaluations in one request, as many as a judgement may ask."""


class Entity(BaseModel):
    """A subject or a resource. A set of users is one too: `{"type": "team", "id": "core#member"}`."""

    type: str
    id: str
    properties: dict[str, Any] = Field(default_factory=dict)


class Action(BaseModel):
    """The relation asked about."""

    name: str
    properties: dict[str, Any] = Field(default_factory=dict)


class Evaluation(BaseModel):
    """One question. In a batch what is missing is taken from the request."""

    subject: Entity | None = None
    action: Action | None = None
    resource: Entity | None = None
    context: dict[str, Any] | None = None


class Semantic(StrEnum):
    """How far a batch goes: to its end, or to the first that says no, or yes."""

    ALL = "execute_all"
    FIRST_DENY = "deny_on_first_deny"
    FIRST_PERMIT = "permit_on_first_permit"


class Options(BaseModel):
    evaluations_semantic: Semantic = Semantic.ALL


class Evaluations(Evaluation):
    """A batch; without `evaluations` one question."""

    evaluations: list[Evaluation] = Field(default_factory=list, max_length=MOST)
    options: Options = Options()


@router.post("/evaluation")
@needs(Scope.READER, Scope.SUBMITTER)
async def evaluation(asked_for: Evaluation, asked: Asked) -> dict[str, Any]:
    """May the subject do this with the resource? `context.path` tells why, where the answer is yes."""
    return await _decided(asked, asked_for)


@router.post("/evaluations")
@needs(Scope.READER, Scope.SUBMITTER)
async def evaluations(batch: Evaluations, asked: Asked) -> dict[str, Any]:
    """Several questions, answered in their order."""
    if not batch.evaluations:
        return await _decided(asked, batch)
    answers: list[dict[str, Any]] = []
    for one in batch.evaluations:
        answers.append(await _decided_or_why_not(asked, _completed(one, batch)))
        stops = {Semantic.FIRST_DENY: False, Semantic.FIRST_PERMIT: True}.get(batch.options.evaluations_semantic)
        if answers[-1]["decision"] is stops:
            break
    return {"evaluations": answers}


def _completed(one: Evaluation, batch: Evaluations) -> Evaluation:
    return Evaluation(
        subject=one.subject or batch.subject,
        action=one.action or batch.action,
        resource=one.resource or batch.resource,
        context=one.context if one.context is not None else batch.context,
    )


async def _decided_or_why_not(asked: Services, one: Evaluation) -> dict[str, Any]:
    try:
        return await _decided(asked, one)
    except HTTPException as refused:
        return _not_decided(refused.status_code, str(refused.detail))
    except RelationsError as problem:
        return _not_decided(503 if isinstance(problem, RelationsUnavailable) else 400, str(problem))


def _not_decided(status: int, message: str) -> dict[str, Any]:
    return {"decision": False, "context": {"error": {"status": status, "message": message}}}


async def _decided(asked: Services, one: Evaluation) -> dict[str, Any]:
    """Raises 400 for what is missing, RelationsError for what cannot be answered."""
    question = _question(one)
    own = asked.own_relations
    if own is not None:
        _, path = await own.path(question.user, question.relation, question.object, context=one.context or {})
        return {"decision": path is not None, **({"context": {"path": list(path)}} if path else {})}
    if one.context:
        raise RelationsRefused("context: values for conditions are taken where `relations` is `local` only")
    answers = await asked.relations.answers([question], at=utc_now())
    return {"decision": answers[question]}


def _question(one: Evaluation) -> Question:
    if one.subject is None or one.action is None or one.resource is None:
        missing = next(name for name in ("subject", "action", "resource") if getattr(one, name) is None)
        raise HTTPException(400, f"{missing}: expected one, found none")
    return Question(user=_name(one.subject), relation=one.action.name, object=_name(one.resource))


def _name(entity: Entity) -> str:
    return f"{entity.type}:{entity.id}"
