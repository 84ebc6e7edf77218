"""Runs, histories and dead letters as JSON documents, the same for the API and the command line."""

from __future__ import annotations

from gateway.durable.port import DeadLetter, HistoryEvent, QueueState, WorkflowRun
from policies.model import Json, rfc3339


def run_document(run: WorkflowRun) -> dict[str, Json]:
    """`wake_at`: when a parked run goes on by itself."""
    return {
        "workflow_id": run.workflow_id,
        "run_id": run.run_id,
        "type": run.type,
        "status": run.status.value,
        "started_at": rfc3339(run.started_at),
        "ended_at": rfc3339(run.ended_at) if run.ended_at else None,
        "wake_at": rfc3339(run.wake_at) if run.wake_at else None,
        "result": run.result,
        "error": run.error,
    }


def event_document(event: HistoryEvent) -> dict[str, Json]:
    """One line of a history."""
    return {"sequence": event.sequence, "at": rfc3339(event.at), "kind": event.kind, "attributes": dict(event.attributes)}


def letter_document(letter: DeadLetter) -> dict[str, Json]:
    """What was given up, why, and every attempt."""
    return {
        "workflow_id": letter.workflow_id,
        "run_id": letter.run_id,
        "type": letter.type,
        "failed_at": rfc3339(letter.failed_at),
        "kind": letter.kind,
        "message": letter.message,
        "activity": letter.activity,
        "arguments": list(letter.arguments),
        "attempts": [
            {"at": rfc3339(a.at), "activity": a.activity, "number": a.number, "kind": a.kind, "message": a.message} for a in letter.attempts
        ],
    }


def queue_document(state: QueueState) -> dict[str, Json]:
    """How the work stands."""
    return {
        "waiting": state.waiting,
        "oldest_due_at": rfc3339(state.oldest_due_at) if state.oldest_due_at else None,
        "running": state.running,
        "parked": state.parked,
        "dead_letters": state.dead_letters,
    }
