"""Pages, rendered on the server, whole without JavaScript.

A decision's page shows outcome and remedies to whoever has its link; facts, relationships and lists only to those with
a token.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response

from gateway.api.access import COOKIE
from gateway.api.bodies import limited_body
from gateway.api.services import Services
from gateway.api.webhooks import Asked
from gateway.domain.access import Scope, permits
from gateway.domain.bypass import BYPASSED
from gateway.domain.clock import utc_now
from gateway.domain.explanation import sentence, subject_of
from gateway.domain.override import MERGED_UNDER_OVERRIDE, in_force
from gateway.domain.record import Decision, DecisionId, TrackedChange
from gateway.errors import Erased
from gateway.operations.tell_relations import TellRelations, Told
from gateway.storage import DecisionFilter
from gateway.web import changes, submissions, workflows
from gateway.web.forms import form_fields, proof_for
from gateway.web.rendering import HEADERS, HERE, may_read, page, sign_in
from gateway.web.sources import rule_sources
from policies import Outcome

router = APIRouter(include_in_schema=False)
router.include_router(workflows.router)
router.include_router(submissions.router)
router.include_router(changes.router)


@router.get("/")
async def front(request: Request, asked: Asked) -> HTMLResponse:
    """What waits and why, what went wrong, and the latest decisions."""
    if not may_read(request, asked):
        return sign_in(asked)
    latest = await asked.storage.decisions(DecisionFilter(), limit=50)
    open_changes = await asked.storage.changes()
    counted = Counter(change.outcome for change in open_changes if change.outcome is not None)
    counts = {outcome.value: counted[outcome] for outcome in (Outcome.DENIED, Outcome.UNDECIDED, Outcome.HELD, Outcome.ADMITTED)}
    events = await asked.storage.audit_events()
    queue = await asked.core.queue()
    return page(
        "front.html",
        asked,
        decisions=latest.decisions,
        counts=counts,
        standing=[(change, changes.address(change.ref), await _reason(asked, change)) for change in _standing(open_changes)],
        bypasses=[event for event in events if event.what == BYPASSED],
        merged_under_override=[event for event in events if event.what == MERGED_UNDER_OVERRIDE],
        overridden=[change for change in open_changes if in_force(change.override, utc_now())],
        dead_letters=queue.dead_letters,
        subject_of=subject_of,
    )


@router.post("/login")
async def login(request: Request, asked: Asked) -> Response:
    """Keep the token in a cookie no script and no other site can use."""
    form = form_fields(await limited_body(request, 4096))
    text = form.get("token", "")
    token = await asked.tokens.recognise(text)
    if token is None or not permits(token.scopes, [Scope.READER]):
        return sign_in(asked, refused=True)
    answer = RedirectResponse("/", 303)
    secure = asked.public_url.startswith("https:")  # behind a proxy the request itself would not say
    answer.set_cookie(COOKIE, text, max_age=12 * 3600, httponly=True, samesite="strict", secure=secure)
    return answer


@router.get("/decisions/{id}")
async def decision_page(id: str, request: Request, asked: Asked) -> HTMLResponse:
    """One decision in plain words."""
    decision = await asked.storage.decision(DecisionId(id))
    if decision is None:
        return page("problem.html", asked, status=404, title="No such decision", detail="Nothing has been recorded under this link.")
    reads = may_read(request, asked)
    return page(
        "decision.html",
        asked,
        decision=decision,
        told=await _told(asked, decision) if reads else Told(),
        sentence=sentence(decision),
        subject_of=subject_of,
        sources=await rule_sources(asked, decision),
        change_page=changes.address(decision.change) if decision.change else None,
        overridden=await _overridden(asked, decision),
        may_read=reads,
        waits=await _waits(asked, decision),
        may_act=submissions.may_act(request),
        proof=proof_for(request),
    )


@router.get("/decisions/{id}/input")
async def input_page(id: str, request: Request, asked: Asked) -> Response:
    """The facts, for those who may read them."""
    decision = await asked.storage.decision(DecisionId(id)) if may_read(request, asked) else None
    try:
        facts = await asked.storage.blob(decision.input_digest) if decision else None
    except Erased as problem:
        return page("problem.html", asked, status=410, title="Nothing to see any more", detail=f"The facts {problem}.")
    if facts is None:
        return page(
            "problem.html", asked, status=404, title="Nothing to see", detail="The facts are shown to those signed in with a token."
        )
    return Response(facts, media_type="application/json", headers=HEADERS)


@router.get("/static/style.css")
async def style() -> FileResponse:
    """The one stylesheet."""
    return FileResponse(HERE / "static" / "style.css", media_type="text/css")


_FIRST = (Outcome.UNDECIDED, Outcome.HELD, Outcome.DENIED)
_STANDING = 20


def _standing(open_changes: Sequence[TrackedChange]) -> list[TrackedChange]:
    """The open changes that may not be merged now; those first that somebody of this house should look at."""
    waiting = [change for change in open_changes if change.outcome in _FIRST and not change.draft]
    return sorted(waiting, key=lambda change: _FIRST.index(change.outcome or Outcome.DENIED))[:_STANDING]


async def _told(asked: Services, decision: Decision) -> Told:
    own = asked.own_relations
    return await TellRelations(relations=asked.relations, storage=asked.storage, names=own.store if own is not None else None)(decision)


async def _reason(asked: Services, change: TrackedChange) -> str:
    decision = await asked.storage.decision(change.decision_id) if change.decision_id else None
    return decision.verdict.reason if decision else ""


async def _overridden(asked: Services, decision: Decision) -> bool:
    """Whether the override the decision names stands beside its change now."""
    if decision.change is None or decision.override is None or not in_force(decision.override, utc_now()):
        return False
    known = await asked.storage.change(decision.change.connection, decision.change.repository, decision.change.number)
    return known is not None and known.override == decision.override


async def _waits(asked: Services, decision: Decision) -> bool:
    """Whether this decision is in force for a change that waits for people."""
    if decision.change is None or decision.outcome is not Outcome.HELD:
        return False
    known = await asked.storage.change(decision.change.connection, decision.change.repository, decision.change.number)
    return known is not None and known.state == "open" and known.decision_id == decision.id
