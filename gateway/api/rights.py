"""What a route needs: every route under `/v1` states a scope, and a token without it is refused before anything is read.

One that states none needs `reader` to look and `admin` to do anything else, so that forgetting it opens nothing. Where the
route is for an act of `gateway.domain.rights`, whoever the token belongs to may have a relation instead; the operation
asks for it, once it knows what the act is about. What a route needs is part of the API's description (`/docs`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from fastapi import APIRouter, FastAPI, HTTPException, Request
from fastapi.routing import APIRoute

from gateway.api.access import is_guarded
from gateway.domain.access import Scope, permits
from gateway.domain.rights import Act
from gateway.operations.rights import lacking
from gateway.storage import StoredToken

_F = TypeVar("_F", bound=Callable[..., Any])
_SCOPES, _ACT = "_admit_scopes", "_admit_act"
_LOOKING = frozenset({"GET", "HEAD", "OPTIONS"})
_SCHEME = "token"


def needs(*scopes: Scope) -> Callable[[_F], _F]:
    """Decorates an endpoint, under its route: one of these scopes is needed."""

    def stated(endpoint: _F) -> _F:
        setattr(endpoint, _SCOPES, scopes)
        return endpoint

    return stated


def needs_right(act: Act) -> Callable[[_F], _F]:
    """Decorates an endpoint whose operation asks `Rights` for this act: the scope, or somebody who may have the relation."""

    def stated(endpoint: _F) -> _F:
        setattr(endpoint, _SCOPES, (act.scope,))
        setattr(endpoint, _ACT, act)
        return endpoint

    return stated


def caller(request: Request) -> StoredToken:
    """The token of this request; there is one on every path under `/v1`."""
    token: StoredToken = request.scope["admit.token"]
    return token


async def allowed(request: Request) -> None:
    """Raises 403 unless the token has what the route needs, or may turn out to. Every router under `/v1` depends on it."""
    endpoint, token = request.scope["endpoint"], caller(request)
    needed = _needed(endpoint, request.method)
    if permits(token.scopes, needed):
        return
    act: Act | None = getattr(endpoint, _ACT, None)
    if act is None:
        raise HTTPException(403, f"the token '{token.name}' may not do this; it needs the scope {_in_words(needed)}")
    if token.actor is None:
        raise HTTPException(403, lacking(act, token))


def describe(app: FastAPI, routers: list[APIRouter]) -> None:
    """Say in the API's description which scope each route needs."""
    stated = {(route.path_format, method): (_needed(route.endpoint, method), route.endpoint) for route, method in _operations(routers)}
    plain = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is not None:
            return app.openapi_schema
        schema = plain()
        schemes = schema.setdefault("components", {}).setdefault("securitySchemes", {})
        schemes[_SCHEME] = {"type": "http", "scheme": "bearer", "description": "A token of `admit token create`."}
        for (path, method), (scopes, endpoint) in stated.items():
            operation = schema["paths"].get(path, {}).get(method.lower())
            if operation is not None:
                # one requirement for each scope that would do (OpenAPI 3.1: role names may be listed for any scheme)
                operation["security"] = [{_SCHEME: [scope.value]} for scope in scopes]
                operation["responses"].setdefault("401", {"description": "No valid token"})
                operation["responses"].setdefault(
                    "403", {"description": f"The token lacks the scope {_in_words(scopes)}{_or_related(endpoint)}"}
                )
        return schema

    app.openapi = described  # type: ignore[method-assign]


def _operations(routers: list[APIRouter]) -> Iterator[tuple[APIRoute, str]]:
    for router in routers:
        for route in router.routes:
            if isinstance(route, APIRoute) and is_guarded(route.path_format):
                for method in route.methods or ():
                    yield route, method


def _needed(endpoint: Callable[..., Any], method: str) -> tuple[Scope, ...]:
    stated: tuple[Scope, ...] | None = getattr(endpoint, _SCOPES, None)
    if stated is not None:
        return stated
    return (Scope.READER,) if method in _LOOKING else (Scope.ADMIN,)


def _or_related(endpoint: Callable[..., Any]) -> str:
    act: Act | None = getattr(endpoint, _ACT, None)
    return "" if act is None else f", and its actor the relation {act.relation}"


def _in_words(scopes: tuple[Scope, ...]) -> str:
    return " or ".join(scope.value for scope in scopes)
