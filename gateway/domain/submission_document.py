"""How a submission is written down, for storage and for users, and read back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from gateway.domain.record import DecisionId
from gateway.domain.submission import Cancellation, SeenRun, Source, Submission, SubmissionId, SubmissionState
from policies.model import Json, rfc3339
from providers.targets import Run, RunKey, RunState


def submission_document(submission: Submission) -> dict[str, Json]:
    """Everything that is kept of it; what it would be given stands in the facts of its decisions."""
    source, seen, cancellation = submission.source, submission.run, submission.cancellation
    return {
        "id": submission.id,
        "at": rfc3339(submission.at),
        "state": submission.state.value,
        "subject": dict(submission.subject),
        "via": submission.via,
        "workflow": submission.workflow,
        "target": submission.target,
        "labels": dict(submission.labels),
        "source": None
        if source is None
        else {"connection": source.connection, "repository": source.repository, "ref": source.ref, "sha": source.sha},
        "key": submission.key,
        "asked": submission.asked,
        "decisions": list(submission.decisions),
        "held_until": _written(submission.held_until),
        "run_key": submission.run_key,
        "tried_at": _written(submission.tried_at),
        "run": None if seen is None else _run(seen),
        "cancellation": None
        if cancellation is None
        else {"by": cancellation.by, "at": rfc3339(cancellation.at), "sent": cancellation.sent},
        "version": submission.version,
        "updated_at": _written(submission.updated_at),
    }


def submission_from_document(document: dict[str, Any]) -> Submission:
    """The inverse of `submission_document`, and of nothing else."""
    source, seen, cancellation = document["source"], document["run"], document["cancellation"]
    return Submission(
        id=SubmissionId(document["id"]),
        at=datetime.fromisoformat(document["at"]),
        subject=document["subject"],
        via=document["via"],
        workflow=document["workflow"],
        target=document["target"],
        labels=document["labels"],
        source=None if source is None else Source(**source),
        key=document["key"],
        asked=document["asked"],
        state=SubmissionState(document["state"]),
        decisions=tuple(DecisionId(id) for id in document["decisions"]),
        held_until=_read(document["held_until"]),
        run_key=None if document["run_key"] is None else RunKey(document["run_key"]),
        tried_at=_read(document["tried_at"]),
        run=None if seen is None else _seen(seen),
        cancellation=None
        if cancellation is None
        else Cancellation(by=cancellation["by"], at=datetime.fromisoformat(cancellation["at"]), sent=cancellation["sent"]),
        version=document["version"],
        updated_at=_read(document["updated_at"]),
    )


def _run(seen: SeenRun) -> dict[str, Json]:
    run = seen.run
    return {"id": run.id, "state": run.state.value, "words": run.words, "message": run.message, "url": run.url, "at": rfc3339(seen.at)}


def _seen(document: dict[str, Any]) -> SeenRun:
    run = Run(
        id=document["id"], state=RunState(document["state"]), words=document["words"], message=document["message"], url=document["url"]
    )
    return SeenRun(run=run, at=datetime.fromisoformat(document["at"]))


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339(moment)


def _read(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
