"""Templates into answers, with the headers every page carries."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gateway.api.services import Services
from gateway.domain.access import Scope, permits

HERE: Final = Path(__file__).parent
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_TEMPLATES: Final = Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined)


def page(template: str, asked: Services, *, status: int = 200, **values: Any) -> HTMLResponse:
    """The template, rendered; whatever values hold is escaped."""
    return HTMLResponse(_TEMPLATES.get_template(template).render(version=asked.version, **values), status, headers=HEADERS)


def may_read(request: Request, asked: Services) -> bool:
    """Facts and lists are for those whose token may read; in the demo for everybody."""
    token = request.scope.get("admit.token")
    return asked.open_pages or (token is not None and permits(token.scopes, [Scope.READER]))


def sign_in(asked: Services, *, refused: bool = False) -> HTMLResponse:
    """What is shown instead to those who have not said who they are."""
    return page("sign_in.html", asked, status=401 if refused else 200, refused=refused)
