"""Names and documents on the way to Temporal and back. Import-clean: what runs inside a Temporal workflow uses it.

A run of ours is one Temporal execution with the run's type as its workflow type, its id behind the task queue's name
(several gateways may share a namespace), and Temporal's run id as its run id. A run that failed leaves a **dead letter**:
an open execution of its own, which keeps the history for as long as nobody decides, whatever the namespace's retention.
"""

from __future__ import annotations

from typing import Any, TypeAlias

Document: TypeAlias = dict[str, Any]

DEAD_LETTER = "admit.dead_letter"
"""Workflow type of dead letters."""
SIGNAL = "admit.signal"
"""Temporal's name of every signal of ours; the document says which."""
ORDER = "admit.order"
"""An operator's order."""
STEP = "admit.step"
"""The local activity that folds; its recorded results are the history."""
COPY = "admit.copy"
"""The local activity that brings another execution's history along."""
REVIVE = "admit.revive"
"""The local activity that starts a revived run."""
STATE = "admit"
"""The memo that says how a run stands."""
HANDED_OVER = "HandedOver"
"""The failure of an attempt whose process stops in good order."""
NOT_DEAD = "NotDead"
EMBEDDED = "embedded"
"""As the source of a history: the embedded engine's tables."""


def execution_id(task_queue: str, workflow_id: str) -> str:
    """Temporal's workflow id of a workflow."""
    return f"{task_queue}:{workflow_id}"


def letter_id(task_queue: str, workflow_id: str, run_id: str) -> str:
    """Temporal's workflow id of a run's dead letter."""
    return f"{letter_prefix(task_queue, workflow_id)}{run_id}"


def letter_prefix(task_queue: str, workflow_id: str) -> str:
    """What the dead letters of a workflow begin with."""
    return f"{execution_id(task_queue, workflow_id)}/dead/"


def a_beginning(
    workflow_id: str, input: Any, *, dispatch: str | None = None, delay: float = 0.0, continues: str | None = None, inbox: Any = ()
) -> Document:
    """What a run begins with. inbox: entries it takes over from the run before it."""
    return {
        "workflow_id": workflow_id,
        "input": input,
        "dispatch": dispatch,
        "delay": delay,
        "continues": continues,
        "inbox": list(inbox),
        "revives": None,
    }


def a_revival(workflow_id: str, run_id: str, *, source: tuple[str, str], by: str) -> Document:
    """What a revived run begins with. source: the execution that has its history."""
    return {**a_beginning(workflow_id, None), "revives": {"run_id": run_id, "source": list(source), "by": by}}


def an_adoption(workflow_id: str, run_id: str, *, delay: float) -> Document:
    """What a run begins with that the embedded engine left."""
    return {**a_beginning(workflow_id, None, delay=delay), "revives": {"run_id": run_id, "source": [EMBEDDED, run_id], "by": None}}


def a_message(name: str, payload: Any, *, dispatch: str | None, starts: list[Any] | None) -> Document:
    """A signal. starts: type and input of the run to start for it if it is left over."""
    return {"name": name, "payload": payload, "control": False, "dispatch": dispatch, "starts": starts}


def an_order(name: str, details: Document) -> Document:
    """An operator's order."""
    return {"name": name, "payload": details, "control": True, "dispatch": None, "starts": None}
