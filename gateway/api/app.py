"""The HTTP application: routers, access and problems put together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response

from gateway.api import (
    admissions,
    approvals,
    authzen,
    bundles,
    changes,
    decisions,
    health,
    metrics,
    overrides,
    problems,
    record,
    relations,
    rights,
    submissions,
    tokens,
    webhooks,
    workflows,
)
from gateway.api.access import Access
from gateway.api.door import Door
from gateway.api.guard import RequestGuard
from gateway.api.headers import SafeHeaders
from gateway.api.rates import Rates
from gateway.api.services import Services

Missing = Callable[[Request, Any], Awaitable[Response]]


def create_app(services: Services, *, pages: APIRouter | None = None, missing: Missing | None = None) -> FastAPI:
    """The application over these operations. `pages`: tier 1's other half; `missing`: what it shows where there is nothing."""
    app = FastAPI(
        title="Admittance",
        version=services.version,
        summary="A policy admission gateway for merges and workflows.",
        redoc_url=None,
        redirect_slashes=False,  # such a redirect would lead to whatever Host the request named
    )
    app.state.services = services
    problems.install(app)
    guarded = [
        admissions.router,
        decisions.router,
        overrides.router,
        approvals.router,
        submissions.router,
        changes.router,
        bundles.router,
        relations.router,
        workflows.router,
        tokens.router,
        record.router,
        authzen.router,
    ]
    app.include_router(webhooks.router)
    for router in guarded:
        app.include_router(router, dependencies=[Depends(rights.allowed)])
    for router in (health.router, metrics.router):
        app.include_router(router)
    rights.describe(app, guarded)
    if pages is not None:
        app.include_router(pages)
    if missing is not None:
        app.add_exception_handler(404, missing)
    handlers = {kind: each for kind, each in app.exception_handlers.items() if kind is not Exception}
    app.add_middleware(
        Door,
        guard=RequestGuard(services.hosts),
        access=Access(services.tokens, Rates(services.limits)),
        headers=SafeHeaders(https=services.public_url.startswith("https:")),
        shortcuts=(webhooks.Deliveries(services, handlers), admissions.Admissions(services, handlers)),
    )
    return app
