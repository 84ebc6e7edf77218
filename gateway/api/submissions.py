"""`/v1/submissions`: ask for a workflow to be run, see how it goes, release, refuse or stop it."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Header, HTTPException, Query, Request
from fastapi.responses import JSONResponse, StreamingResponse

from gateway.api.bodies import json_body
from gateway.api.people import speaker
from gateway.api.problems import problem
from gateway.api.rights import caller, needs, needs_right
from gateway.api.services import Services
from gateway.api.submission_documents import SubmissionWanted, WordSaid, json_request, parsed, submission_summary, whole_submission
from gateway.api.webhooks import Asked
from gateway.domain.access import Scope, permits
from gateway.domain.record import Decision, decision_document
from gateway.domain.rights import SUBMIT, Reach
from gateway.domain.submission import Submission, SubmissionId, SubmissionState, target_ref
from gateway.durable import UnknownWorkflow
from gateway.errors import NotAllowed
from gateway.operations.start_submission import known
from gateway.operations.submit import Answer
from gateway.storage.keys import is_name
from gateway.storage.submissions import SubmissionFilter
from policies import Outcome, Word

router = APIRouter(prefix="/v1/submissions", tags=["submissions"])

INPUT_LIMIT = 1024 * 1024
"""Bytes of a submission: what it holds is judged, recorded and handed over, so large things travel by reference."""
_RETRY_AFTER = 5
_WAIT = re.compile(r"(\d{1,3})s?")
_LONGEST_WAIT = 60


@router.post("", status_code=202, openapi_extra=json_request(SubmissionWanted))
@needs_right(SUBMIT)
async def submit(request: Request, asked: Asked, idempotency_key: Annotated[str | None, Header()] = None) -> JSONResponse:
    """Ask for a workflow to be run. 202: admitted, or held with what it waits for. 403: denied, with violations and remedies.

    With an `Idempotency-Key` asking again is answered the same, denials too; 409: the key stands for another question.
    413: over 1 MB. 422: no such workflow or target, or an input that does not fit what the workflow declares.
    503 with Retry-After: it could not be decided, and may be later; nothing is kept under the key.
    """
    if idempotency_key is not None and not is_name(idempotency_key):
        raise HTTPException(422, "Idempotency-Key: expected 1 to 191 printable characters")
    body: SubmissionWanted = parsed(SubmissionWanted, await json_body(request, INPUT_LIMIT))
    wanted = body.wanted(idempotency_key)

    async def reach() -> Reach:
        return Reach(objects=(target_ref(asked.submitting.catalogue.target_of(wanted.workflow, wanted.target)),))

    await asked.rights(SUBMIT, caller(request), reach)
    answer = await asked.submitting.submit(wanted, speaker(request))
    asked.core.wake()
    return _answered(answer)


def _answered(answer: Answer) -> JSONResponse:
    decision, submission = answer.decision, answer.submission
    if submission is None:
        return _undecided(decision)
    document = {**whole_submission(submission, decision)}
    if decision.outcome is Outcome.DENIED:
        return problem(403, f"denied: {decision.verdict.reason}", **_why(decision), submission=submission.id)
    return JSONResponse(document, 202, headers={"Location": f"/v1/submissions/{submission.id}"})


def _undecided(decision: Decision) -> JSONResponse:
    detail = f"it could not be decided: {decision.verdict.reason}"
    if decision.verdict.may_change_by_itself:
        return problem(503, detail, advice=f"try again in {_RETRY_AFTER} s", headers={"Retry-After": str(_RETRY_AFTER)}, **_why(decision))
    return problem(403, detail, advice="somebody has to change something before it can be decided", **_why(decision))


def _why(decision: Decision) -> dict[str, Any]:
    document = decision_document(decision)
    said = {name: document[name] for name in ("outcome", "violations", "faults", "warnings")}
    return {**said, "decision": decision.id}


@router.get("")
@needs(Scope.READER)
async def list_submissions(
    asked: Asked,
    state: SubmissionState | None = None,
    workflow: str | None = None,
    target: str | None = None,
    subject: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: str | None = None,
) -> dict[str, Any]:
    """Newest first; `cursor` of one page gets the next, null when that was all. subject: an Actor's ref."""
    wanted = SubmissionFilter(state=state, workflow=workflow, target=target, subject=subject)
    try:
        page = await asked.submitting.submissions.list(wanted, limit=limit, cursor=cursor)
    except ValueError as refused:
        raise HTTPException(422, f"cursor: {refused}") from refused
    return {"submissions": [submission_summary(submission) for submission in page.submissions], "cursor": page.cursor}


@router.get("/{id}")
@needs(Scope.READER, Scope.SUBMITTER)
async def one_submission(id: str, asked: Asked, wait: str | None = None) -> dict[str, Any]:
    """One, with the decision it stands by and what people said. `?wait=30s`: once it has ended, at most so much later (60 s)."""
    within = _seconds(wait)
    if within:
        submission = await asked.submitting.follow.ended(SubmissionId(id), within=within)
    else:
        submission = await known(asked.submitting.submissions, SubmissionId(id))
    return await _whole(asked, submission)


@router.get("/{id}/events", response_class=StreamingResponse)
@needs(Scope.READER, Scope.SUBMITTER)
async def follow_submission(id: str, asked: Asked) -> StreamingResponse:
    """Server-sent events: `submission` with the submission each time something has happened, the last when it has ended."""
    first = await known(asked.submitting.submissions, SubmissionId(id))
    return StreamingResponse(_events(asked, first), media_type="text/event-stream", headers={"Cache-Control": "no-store"})


async def _events(asked: Services, submission: Submission) -> AsyncIterator[str]:
    async for now in asked.submitting.follow(submission.id):
        yield f"event: submission\nid: {now.version}\ndata: {json.dumps(submission_summary(now))}\n\n"


@router.post("/{id}/approve")
@needs(Scope.SUBMITTER, Scope.OPERATOR)
async def approve(id: str, request: Request, asked: Asked) -> dict[str, Any]:
    """Release what is held, as somebody with the relation it waits for. The policies are asked again before anything starts.

    403: your word cannot count (you submitted it, or lack the relation). 409: it waits for nobody, or no longer.
    """
    return await _say(Word.APPROVED, id, request, asked)


@router.post("/{id}/refuse")
@needs(Scope.SUBMITTER, Scope.OPERATOR)
async def refuse(id: str, request: Request, asked: Asked) -> dict[str, Any]:
    """End what is held, as somebody with the relation it waits for; the reason is told to who submitted it."""
    return await _say(Word.REFUSED, id, request, asked)


@router.post("/{id}/cancel")
@needs(Scope.READER, Scope.SUBMITTER, Scope.OPERATOR)
async def cancel(id: str, request: Request, asked: Asked) -> dict[str, Any]:
    """Stop it: what has not started does not, and a run is asked to end. Whoever submitted it may, and an operator."""
    submission = await known(asked.submitting.submissions, SubmissionId(id))
    by = speaker(request)
    if submission.subject_ref != by.ref and not permits(caller(request).scopes, [Scope.OPERATOR]):
        raise NotAllowed("only who submitted it may cancel it, or an operator")
    return await _whole(asked, await cancelled(asked, submission.id, by))


async def cancelled(asked: Services, id: SubmissionId, by: Any) -> Submission:
    """Cancelled, and what waits for its next attempt woken."""
    submission = await asked.submitting.cancel(id, by)
    asked.core.wake()
    with suppress(UnknownWorkflow):  # it has not begun: then it will see for itself
        await asked.core.retry(submission.workflow_id, by=by.name)
    return submission


async def _say(word: Word, id: str, request: Request, asked: Services) -> dict[str, Any]:
    said = await word_said(request)
    submission = await asked.submitting.give_word.on_submission(SubmissionId(id), word, speaker(request), said.reason)
    asked.core.wake()
    return await _whole(asked, submission)


async def word_said(request: Request) -> WordSaid:
    """The body, which may be empty."""
    nothing = request.headers.get("content-length", "0") == "0" and "transfer-encoding" not in request.headers
    said: WordSaid = parsed(WordSaid, {} if nothing else await json_body(request, INPUT_LIMIT))
    return said


async def _whole(asked: Services, submission: Submission) -> dict[str, Any]:
    decision = await asked.storage.decision(submission.decisions[-1])
    return whole_submission(submission, decision, await asked.storage.approvals(submission.about))


def _seconds(wait: str | None) -> int:
    if wait is None:
        return 0
    found = _WAIT.fullmatch(wait)
    if found is None:
        raise HTTPException(422, f"wait: expected seconds, such as 30s, found '{wait[:20]}'")
    return min(int(found[1]), _LONGEST_WAIT)
