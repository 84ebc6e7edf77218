"""Errors as `application/problem+json` (RFC 9457): what went wrong, and what to do about it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

from gateway.durable import DurableError, EngineFull, NotDead, PayloadTooLarge, UnknownWorkflow
from gateway.errors import Ambiguous, Erased, GatewayError, ManagedByFile, NotAllowed, OutOfPlace, StorageError, UnknownThing
from policies.errors import (
    BundleRefused,
    EngineBusy,
    EngineError,
    NotCanonical,
    PolicyError,
    RelationsRefused,
    RelationsUnavailable,
    RequestRefused,
)
from policies.relations import ModelRefused
from providers.errors import NotFound, PermanentError, ProviderError, TemporaryError
from providers.vcs import DeliveryRefused, Refusal

log = structlog.get_logger()

_RETRY_AFTER = 5
"""Seconds, where nobody said better."""

Handler = Callable[[Request, Any], Awaitable[JSONResponse]]


def problem(status: int, detail: str, *, advice: str | None = None, headers: dict[str, str] | None = None, **more: Any) -> JSONResponse:
    """A problem document. `advice` says what to do."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    if advice:
        body["advice"] = advice
    return _Problem(body, status, headers=headers)


class _Problem(JSONResponse):
    """A refusal repeats what it refuses, and that may hold lone surrogates, which are no UTF-8."""

    media_type = "application/problem+json"

    def render(self, content: Any) -> bytes:
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def install(app: FastAPI) -> None:
    """Give every error this house raises its answer."""
    answers: dict[type[Exception], Handler] = {
        UnknownThing: _simple(404),
        RequestRefused: _simple(422),
        NotCanonical: _simple(422),
        BundleRefused: _bundle_refused,
        ModelRefused: _model_refused,
        RelationsRefused: _simple(422),
        RelationsUnavailable: _try_again,
        Ambiguous: _simple(409),
        ManagedByFile: _simple(409),
        NotAllowed: _simple(403),
        OutOfPlace: _simple(409),
        DeliveryRefused: _delivery_refused,
        EngineBusy: _try_again,
        EngineError: _try_again,
        EngineFull: _try_again,
        TemporaryError: _try_again,
        NotFound: _simple(404),
        PermanentError: _simple(502),
        Erased: _simple(410),
        StorageError: _simple(500),
        UnknownWorkflow: _simple(404),
        NotDead: _simple(409),
        PayloadTooLarge: _simple(422),
        RequestValidationError: _invalid,
        StarletteHTTPException: http_problem,
        Exception: _unforeseen,
    }
    for kind, answer in answers.items():
        app.add_exception_handler(kind, answer)


def _simple(status: int) -> Handler:
    async def answer(request: Request, error: GatewayError | ProviderError | PolicyError | DurableError) -> JSONResponse:
        return problem(status, str(error), advice=getattr(error, "advice", None))

    return answer


async def _delivery_refused(request: Request, error: DeliveryRefused) -> JSONResponse:
    status = 400 if error.refusal is Refusal.MALFORMED else 401
    log.warning("delivery refused", path=request.url.path, refusal=error.refusal.value, reason=str(error))
    return problem(status, str(error), refusal=error.refusal.value)


async def _bundle_refused(request: Request, error: BundleRefused) -> JSONResponse:
    found = [{"message": p.message, "path": p.path, "line": p.line, "advice": p.advice} for p in error.problems]
    return problem(422, str(error), problems=found)


async def _model_refused(request: Request, error: ModelRefused) -> JSONResponse:
    found = [
        {"code": p.code, "message": p.message, "line": p.at.line if p.at else None, "column": p.at.column if p.at else None}
        for p in error.problems
    ]
    return problem(422, str(error), advice=error.advice, problems=found)


async def _try_again(request: Request, error: EngineError | EngineFull | RelationsUnavailable | TemporaryError) -> JSONResponse:
    seconds = max(1, round(getattr(error, "retry_after", None) or _RETRY_AFTER))
    return problem(503, str(error), advice=f"try again in {seconds} s", headers={"Retry-After": str(seconds)})


async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
    return invalid(error, 422)


def invalid(error: RequestValidationError, status: int) -> JSONResponse:
    """What does not fit a route's model, each place with what is wrong there."""
    found = [{"where": ".".join(str(part) for part in item["loc"]), "message": item["msg"]} for item in error.errors()]
    return problem(status, "the request does not fit", errors=found)


async def http_problem(request: Request, error: HTTPException) -> JSONResponse:
    """What FastAPI itself refuses, and what routes do by its exception."""
    return problem(error.status_code, str(error.detail), headers=dict(error.headers or {}))


async def _unforeseen(request: Request, error: Exception) -> JSONResponse:
    """The process's edge: a bug. Its text stays in the log."""
    log.error("request failed", path=request.url.path, method=request.method, exc_info=error)
    return problem(500, "something went wrong on our side; it has been logged")
