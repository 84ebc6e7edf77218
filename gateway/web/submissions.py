"""Pages about submissions: the list, one with everything said and done about it, and the targets they run on."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from gateway.api.people import speaker
from gateway.api.services import Services
from gateway.api.submissions import cancelled
from gateway.api.webhooks import Asked
from gateway.domain.access import Scope, permits
from gateway.domain.explanation import sentence
from gateway.domain.record import DecisionId
from gateway.domain.submission import Submission, SubmissionId, SubmissionState
from gateway.durable import HistoryEvent, UnknownWorkflow, WorkflowRun
from gateway.errors import GatewayError, NotAllowed
from gateway.operations.start_submission import known
from gateway.storage import StoredToken
from gateway.storage.submissions import SubmissionFilter
from gateway.web.forms import proof_for, proven_fields
from gateway.web.rendering import may_read, page, sign_in
from policies import Word
from policies.errors import PolicyError
from providers.errors import ProviderError
from providers.targets import Target
from providers.vcs import ChangeKey

router = APIRouter(include_in_schema=False)

_WORDS = {"approve": Word.APPROVED, "refuse": Word.REFUSED}
_PROBE_SECONDS = 10.0
_TROUBLE = frozenset({"AttemptFailed", "AttemptLost", "ActivityFailed"})


@router.get("/submissions")
async def submissions_page(request: Request, asked: Asked, state: SubmissionState | None = None, cursor: str | None = None) -> HTMLResponse:
    """The newest, or those in one state."""
    if not may_read(request, asked):
        return sign_in(asked)
    try:
        found = await asked.submitting.submissions.list(SubmissionFilter(state=state), limit=50, cursor=cursor)
    except ValueError as refused:
        return page("problem.html", asked, status=422, title="No such page", detail=str(refused))
    return page("submissions.html", asked, found=found, state=state, states=list(SubmissionState))


@router.get("/submissions/{id}")
async def submission_page(id: str, request: Request, asked: Asked) -> HTMLResponse:
    """One: the decision, what people said, the run, and what went wrong on the way."""
    if not may_read(request, asked):
        return sign_in(asked)
    submission = await asked.submitting.submissions.submission(SubmissionId(id))
    if submission is None:
        return page("problem.html", asked, status=404, title="No such submission", detail="Nothing has been recorded under this link.")
    return await _shown(asked, request, submission)


async def _shown(asked: Services, request: Request, submission: Submission, *, refused: str | None = None) -> HTMLResponse:
    decision = await asked.storage.decision(submission.decisions[-1])
    assert decision is not None, "a submission is kept with its decisions"
    run, trouble = await _carried(asked, submission)
    return page(
        "submission.html",
        asked,
        status=200 if refused is None else 409,
        submission=submission,
        decision=decision,
        sentence=sentence(decision),
        approvals=await asked.storage.approvals(submission.about),
        carried=run,
        trouble=trouble,
        proof=proof_for(request),
        may_act=may_act(request),
        refused=refused,
    )


async def _carried(asked: Services, submission: Submission) -> tuple[WorkflowRun | None, list[HistoryEvent]]:
    """The durable workflow, and the attempts that came to nothing."""
    try:
        run = await asked.core.describe(submission.workflow_id)
        events = await asked.core.history(submission.workflow_id, run.run_id)
    except UnknownWorkflow:
        return None, []
    return run, [event for event in events if event.kind in _TROUBLE][-20:]


@router.post("/submissions/{id}/{act}")
async def act_on_submission(id: str, act: str, request: Request, asked: Asked) -> Response:
    """A button was pressed."""
    fields = await _acting(request)
    submission = await known(asked.submitting.submissions, SubmissionId(id))
    try:
        await _act(asked, request, submission, act, fields.get("reason") or None)
    except (GatewayError, PolicyError) as problem:
        return await _shown(asked, request, submission, refused=_said(problem))
    return RedirectResponse(f"/submissions/{submission.id}", 303)


async def _act(asked: Services, request: Request, submission: Submission, act: str, reason: str | None) -> None:
    by = speaker(request)
    if act in _WORDS:
        await asked.submitting.give_word.on_submission(submission.id, _WORDS[act], by, reason)
        asked.core.wake()
    elif act == "cancel":
        if submission.subject_ref != by.ref and not permits(_token(request).scopes, [Scope.OPERATOR]):
            raise NotAllowed("only who submitted it may cancel it, or an operator")
        await cancelled(asked, submission.id, by)
    else:
        raise HTTPException(404, "there is no such button")


@router.post("/decisions/{id}/{act}")
async def act_on_change(id: str, act: str, request: Request, asked: Asked) -> Response:
    """A held change is approved or refused on the page of its decision."""
    fields = await _acting(request)
    decision = await asked.storage.decision(DecisionId(id))
    if decision is None or decision.change is None or act not in _WORDS:
        raise HTTPException(404, "there is nothing to approve here")
    change = decision.change
    key = ChangeKey(repository=change.repository, number=change.number)
    now = await asked.storage.change(change.connection, change.repository, change.number)
    try:
        if now is None or now.decision_id != decision.id:
            raise NotAllowed("this is not the decision in force for the change any more: look at the newest")
        await asked.submitting.give_word.on_change(change.connection, key, _WORDS[act], speaker(request), fields.get("reason") or None)
    except (GatewayError, PolicyError) as problem:
        return page("problem.html", asked, status=409, title="That was not taken", detail=_said(problem))
    asked.core.wake()
    return RedirectResponse(f"/decisions/{decision.id}", 303)


@router.get("/targets")
async def targets_page(request: Request, asked: Asked) -> HTMLResponse:
    """Each target, what may run there, and whether it answers right now."""
    if not may_read(request, asked):
        return sign_in(asked)
    targets = [asked.submitting.targets[name] for name in sorted(asked.submitting.targets)]
    health = await asyncio.gather(*map(_health, targets))
    workflows = asked.submitting.catalogue.workflows
    rows = [
        (target, well, says, [workflow.name for workflow in workflows if target.name in workflow.targets])
        for target, (well, says) in zip(targets, health, strict=True)
    ]
    return page("targets.html", asked, targets=rows)


async def _health(target: Target) -> tuple[bool, str]:
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            return True, await target.probe()
    except TimeoutError:
        return False, f"it has not answered within {_PROBE_SECONDS:.0f} s"
    except ProviderError as problem:
        return False, _said(problem)


async def _acting(request: Request) -> dict[str, str]:
    """The form's fields. Raises 403 unless it is ours and the token may act."""
    fields = await proven_fields(request)
    if not may_act(request):
        raise HTTPException(403, f"the token '{_token(request).name}' may not do this; it needs the scope submitter or operator")
    return fields


def may_act(request: Request) -> bool:
    """Whether the buttons are for this reader."""
    token: StoredToken | None = request.scope.get("admit.token")
    return token is not None and permits(token.scopes, [Scope.SUBMITTER, Scope.OPERATOR])


def _token(request: Request) -> StoredToken:
    token: StoredToken = request.scope["admit.token"]
    return token


def _said(problem: Any) -> str:
    return f"{problem}; {problem.advice}" if getattr(problem, "advice", None) else str(problem)
