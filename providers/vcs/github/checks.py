"""GitHub's statuses and check runs → the model's checks. Pure.

Separate from the other facts, since two kinds of reports become one, and which of several with one name count is decided here.
"""

from __future__ import annotations

from collections.abc import Sequence

from providers.vcs.documents import Document
from providers.vcs.github.facts import Facts, known
from providers.vcs.model import Check, CheckState

OWN_CONTEXTS = "admit/"
"""The gateway's own statuses; they are its answer, never its facts."""

_STATUS_ENDS = {"SUCCESS": "success", "FAILURE": "failure", "ERROR": "error", "PENDING": None, "EXPECTED": None}
_RUN_ENDS = {
    "SUCCESS": "success",
    "FAILURE": "failure",
    "STARTUP_FAILURE": "failure",
    "NEUTRAL": "neutral",
    "SKIPPED": "skipped",
    "CANCELLED": "cancelled",
    "TIMED_OUT": "timed_out",
    "ACTION_REQUIRED": "action_required",
    "STALE": "stale",
}
_RUN_GOES_ON = frozenset({"QUEUED", "IN_PROGRESS", "PENDING", "REQUESTED", "WAITING"})


def checks(facts: Facts, documents: Sequence[Document], sha: str) -> tuple[Check, ...]:
    """Without the gateway's own, by name.

    Of runs with one name the newest of each suite counts: another workflow's job of that name must not hide a failing one.
    """
    found: dict[tuple[str, ...], tuple[int, Check]] = {}
    for document in documents:
        key, age, check = _check(facts, document, sha)
        if not check.name.startswith(OWN_CONTEXTS) and (key not in found or found[key][0] <= age):
            found[key] = (age, check)
    return tuple(check for _, (_, check) in sorted(found.items()))


def _check(facts: Facts, document: Document, sha: str) -> tuple[tuple[str, ...], int, Check]:
    """The check, what it takes the place of another by, and its age among those."""
    if document.text("__typename") == "StatusContext":
        end = known(document, "state", _STATUS_ENDS)
        creator = document.document_or_none("creator")
        source = facts.actor(creator).login if creator is not None else None
        check = _a_check(document.text("context"), end, source, sha, document.text_or_none("targetUrl"))
        return (check.name, "status"), 0, check
    suite = document.document("checkSuite")
    app = suite.document_or_none("app")
    source = app.text("slug") if app is not None else None
    check = _a_check(document.text("name"), _end_of_run(document), source, sha, document.text_or_none("detailsUrl"))
    return (check.name, "run", str(suite.number("databaseId"))), document.number("databaseId"), check


def _end_of_run(run: Document) -> str | None:
    if run.text("status") in _RUN_GOES_ON:
        return None
    known(run, "status", {"COMPLETED": True})
    return known(run, "conclusion", _RUN_ENDS)


def _a_check(name: str, end: str | None, source: str | None, sha: str, url: str | None) -> Check:
    state = CheckState.PENDING if end is None else CheckState.COMPLETED
    return Check(name=name, state=state, conclusion=end, source=source, sha=sha, url=url)
