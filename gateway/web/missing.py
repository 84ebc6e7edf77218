"""What a browser is shown where there is nothing: a page like the others. Programs get the problem document."""

from __future__ import annotations

from fastapi import HTTPException, Request, Response

from gateway.api.problems import http_problem
from gateway.web.rendering import page

_FOR_PROGRAMS = ("/v1", "/access/", "/webhooks/")


async def missing(request: Request, error: HTTPException) -> Response:
    """404, as whoever asked can read it."""
    if request.url.path.startswith(_FOR_PROGRAMS) or "text/html" not in request.headers.get("accept", ""):
        return await http_problem(request, error)
    detail = "Nothing is at this address." if error.detail == "Not Found" else f"{error.detail}."
    return page("problem.html", request.app.state.services, status=404, title="There is nothing here", detail=detail)
