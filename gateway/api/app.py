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
from gateway.api.access import BearerTokens
from gateway.api.guard import RequestGuard
from gateway.api.headers import EchoedRequestIds, SafeHeaders
from gateway.api.measured import Measured
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
    app.include_router(webhooks.router)  # first: routers are looked through in their order, and here every forge's events come in
    for router in guarded:
        app.include_router(router, dependencies=[Depends(rights.allowed)])
    for router in (health.router, metrics.router):
        app.include_router(router)
    rights.describe(app, guarded)
    if pages is not None:
        app.include_router(pages)
    if missing is not None:
        app.add_exception_handler(404, missing)
    app.add_middleware(BearerTokens, tokens=services.tokens, rates=Rates(services.limits))
    app.add_middleware(RequestGuard, hosts=services.hosts)
    app.add_middleware(Measured)
    app.add_middleware(EchoedRequestIds)
    app.add_middleware(SafeHeaders, https=services.public_url.startswith("https:"))
    return app
