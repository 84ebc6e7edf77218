"""Pages about changes: the list, and one with what was decided of it, in order, and the buttons of those who may press them."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from gateway.api.services import Services
from gateway.api.webhooks import Asked
from gateway.domain.access import Scope, permits
from gateway.domain.clock import utc_now
from gateway.domain.explanation import sentence
from gateway.domain.override import in_force
from gateway.domain.record import ChangeRef, TrackedChange
from gateway.errors import GatewayError
from gateway.operations.receive import recheck_dispatch
from gateway.storage import DecisionFilter, StoredToken
from gateway.web.forms import proof_for, proven_fields
from gateway.web.rendering import may_read, page, sign_in
from policies import Outcome
from policies.errors import PolicyError
from providers.errors import ProviderError
from providers.vcs import ChangeKey

router = APIRouter(include_in_schema=False)

_LISTED = 500
_STATES = ("open", "merged", "closed", "all")
_OVERRIDE_HOURS = range(1, 25)


@router.get("/changes")
async def changes_page(request: Request, asked: Asked, state: str = "open", outcome: str = "", repository: str = "") -> HTMLResponse:
    """Most recently updated first. outcome: also `none` for those not judged; repository: a part of its name."""
    if not may_read(request, asked):
        return sign_in(asked)
    known = await asked.storage.changes(state=None if state == "all" else state, limit=_LISTED)
    wanted = [change for change in known if _fits(change, outcome, repository)]
    return page(
        "changes.html",
        asked,
        changes=wanted,
        all_listed=len(known) < _LISTED,
        limit=_LISTED,
        chosen={"state": state, "outcome": outcome, "repository": repository},
        states=_STATES,
        outcomes=[*(outcome.value for outcome in Outcome), "none"],
        overridden=_overridden,
        address=address,
    )


@router.get("/changes/{connection}/{repository:path}/{number}")
async def change_page(
    connection: str, repository: str, number: int, request: Request, asked: Asked, cursor: str | None = None
) -> HTMLResponse:
    """One: where it stands, and every decision on it, newest first."""
    if not may_read(request, asked):
        return sign_in(asked)
    return await _shown(asked, request, await _known(asked, connection, repository, number), cursor=cursor)


@router.post("/changes/{connection}/{repository:path}/{number}/{act}")
async def act_on_change(connection: str, repository: str, number: int, act: str, request: Request, asked: Asked) -> Response:
    """A button was pressed: have it judged again, let it through for a while, or no longer."""
    fields = await proven_fields(request)
    change = await _known(asked, connection, repository, number)
    token: StoredToken = request.scope["admit.token"]
    try:
        await _act(asked, change, act, fields, token)
    except (GatewayError, PolicyError, ProviderError) as problem:
        return await _shown(asked, request, change, refused=str(problem))
    asked.core.wake()
    return RedirectResponse(address(change.ref), 303)


def address(ref: ChangeRef) -> str:
    """Where a change's page is."""
    return f"/changes/{quote(ref.connection, safe='')}/{quote(ref.repository)}/{ref.number}"


async def _act(asked: Services, change: TrackedChange, act: str, fields: dict[str, str], token: StoredToken) -> None:
    ref = change.ref
    match act:
        case "recheck" if permits(token.scopes, [Scope.OPERATOR]):
            key = ChangeKey(repository=ref.repository, number=ref.number)
            await asked.storage.record_dispatches([recheck_dispatch(ref.connection, key)])
        case "recheck":
            raise HTTPException(403, f"the token '{token.name}' may not do this; it needs the scope operator")
        case "override":
            until = utc_now() + timedelta(hours=_hours(fields.get("hours", "")))
            await asked.override_change(ref.connection, ref.repository, ref.number, reason=fields.get("reason", ""), until=until, by=token)
        case "end-override":
            await asked.override_change.end(ref.connection, ref.repository, ref.number, by=token)
        case _:
            raise HTTPException(404, "there is no such button")


def _hours(text: str) -> int:
    if not text.isdecimal() or int(text) not in _OVERRIDE_HOURS:
        raise HTTPException(422, f"expected a number of hours between 1 and {_OVERRIDE_HOURS[-1]}")
    return int(text)


async def _shown(
    asked: Services, request: Request, change: TrackedChange, *, cursor: str | None = None, refused: str | None = None
) -> HTMLResponse:
    ref = change.ref
    wanted = DecisionFilter(connection=ref.connection, repository=ref.repository, number=ref.number)
    try:
        found = await asked.storage.decisions(wanted, limit=25, cursor=cursor)
    except ValueError as problem:
        raise HTTPException(422, f"cursor: {problem}") from problem
    now = await asked.storage.decision(change.decision_id) if change.decision_id else None
    token: StoredToken | None = request.scope.get("admit.token")
    return page(
        "change.html",
        asked,
        status=200 if refused is None else 409,
        change=change,
        address=address(change.ref),
        now=now,
        sentence=sentence(now) if now else None,
        decisions=found.decisions,
        cursor=found.cursor,
        override=change.override if _overridden(change) else None,
        may_act=token is not None and permits(token.scopes, [Scope.OPERATOR]),
        may_override=token is not None,
        hours=_OVERRIDE_HOURS,
        proof=proof_for(request),
        refused=refused,
    )


async def _known(asked: Services, connection: str, repository: str, number: int) -> TrackedChange:
    change = await asked.storage.change(connection, repository, number) if 0 <= number < 2**63 else None
    if change is None:
        raise HTTPException(404, f"nothing is known of change {number} of {repository} on connection '{connection}'")
    return change


def _fits(change: TrackedChange, outcome: str, repository: str) -> bool:
    told = change.outcome.value if change.outcome else "none"
    return (not outcome or outcome == told) and repository.strip().lower() in change.ref.repository.lower()


def _overridden(change: TrackedChange) -> bool:
    return in_force(change.override, utc_now())
