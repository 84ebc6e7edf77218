"""Submissions in SQL: one row each, its document beside the columns it is found by; written under a version."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, false, func, or_, select, update

from gateway.domain.audit import AuditEvent
from gateway.domain.dispatch import Dispatch
from gateway.domain.submission import Submission, SubmissionId, SubmissionState
from gateway.domain.submission_document import submission_document, submission_from_document
from gateway.errors import StorageError, SubmissionMoved
from gateway.storage import checks
from gateway.storage.columns import to_ms
from gateway.storage.cursor import read_cursor, write_cursor
from gateway.storage.database import Database
from gateway.storage.dispatches import write_dispatches
from gateway.storage.keys import is_name, key
from gateway.storage.sql import blobs, bundle_history, decisions, generations
from gateway.storage.sql.submission_tables import submissions
from gateway.storage.sql.upsert import insert_new
from gateway.storage.submissions import Judged, SubmissionFilter, SubmissionPage
from policies.canonical import canonical


class SqlSubmissions:
    """The port over one database, which is somebody else's to close."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, submission: Submission, judged: Judged, dispatches: Sequence[Dispatch]) -> Submission:
        row, its = _row(submission), _decision_row(judged)

        def unit(c: Connection) -> Submission:
            known = _asked_under(c, row["asked_under"])
            if known is not None:
                return known
            if not insert_new(c, submissions, row):
                # another gateway was first, and has committed since we looked
                known = _asked_under(c, row["asked_under"])
                if known is None:
                    raise StorageError(f"submission {submission.id} is on record already")
                return known
            _record(c, judged, its)
            write_dispatches(c, dispatches, now_ms=_now_ms())
            return submission

        return await self._database.write(unit)

    async def save(
        self,
        submission: Submission,
        *,
        judged: Judged | None = None,
        dispatches: Sequence[Dispatch] = (),
        event: AuditEvent | None = None,
    ) -> Submission:
        after = replace(submission, version=submission.version + 1)
        row = _row(after)
        its = _decision_row(judged) if judged is not None else None

        def unit(c: Connection) -> Submission:
            here = and_(submissions.c.id == submission.id, submissions.c.version == submission.version)
            changed = {name: row[name] for name in ("version", "state", "document")}
            if c.execute(update(submissions).where(here).values(changed)).rowcount != 1:
                raise SubmissionMoved(f"submission {submission.id} was written by somebody else meanwhile")
            if judged is not None and its is not None:
                _record(c, judged, its)
            if event is not None:
                bundle_history.write_event(c, event)
            write_dispatches(c, dispatches, now_ms=_now_ms())
            return after

        return await self._database.write(unit)

    async def submission(self, id: SubmissionId) -> Submission | None:
        return await self._database.read(lambda c: _one(c, submissions.c.id == id)) if is_name(id) else None

    async def asked_under(self, subject: str, key: str) -> Submission | None:
        return await self._database.read(lambda c: _asked_under(c, key_of(subject, key)))

    async def list(self, filter: SubmissionFilter, *, limit: int = 50, cursor: str | None = None) -> SubmissionPage:
        return await self._database.read(lambda c: _page(c, filter, limit, cursor))

    async def open(self) -> Mapping[SubmissionState, int]:
        return await self._database.read(_open)


def key_of(subject: str, its: str) -> str:
    """Two callers may use one key."""
    return key(subject, its)


def page_query(filter: SubmissionFilter, *, limit: int, cursor: str | None) -> Select[Any]:
    """The query of one page."""
    c = submissions.c
    query = select(c.document, c.at, c.ord).where(*_conditions(filter))
    if cursor is not None:
        at, order = read_cursor(cursor)
        query = query.where(c.at <= at, or_(c.at < at, and_(c.at == at, c.ord < order)))
    return query.order_by(c.at.desc(), c.ord.desc()).limit(limit)


def _page(connection: Connection, filter: SubmissionFilter, limit: int, cursor: str | None) -> SubmissionPage:
    rows = connection.execute(page_query(filter, limit=limit + 1, cursor=cursor)).all()
    shown = rows[:limit]
    more = len(rows) > limit and bool(shown)
    return SubmissionPage(
        submissions=tuple(submission_from_document(json.loads(row.document)) for row in shown),
        cursor=write_cursor(shown[-1].at, shown[-1].ord) if more else None,
    )


def open_query() -> Select[Any]:
    """How many have not ended. What has ended, however much it is, is not looked at."""
    state = submissions.c.state
    return select(state, func.count()).where(state.in_([one.value for one in SubmissionState if not one.ended])).group_by(state)


def _open(connection: Connection) -> dict[SubmissionState, int]:
    return {SubmissionState(state): count for state, count in connection.execute(open_query())}


def _conditions(filter: SubmissionFilter) -> list[ColumnElement[bool]]:
    c = submissions.c
    found: list[ColumnElement[bool]] = []
    if filter.state is not None:
        found.append(c.state == filter.state.value)
    for column, text in ((c.workflow, filter.workflow), (c.target, filter.target)):
        if text is not None:
            found.append(column == text if is_name(text) else false())
    if filter.subject is not None:
        found.append(c.subject_key == key(filter.subject))
    return found


def _row(submission: Submission) -> dict[str, Any]:
    return {
        "id": submission.id,
        "asked_under": None if submission.key is None else key_of(submission.subject_ref, submission.key),
        "version": submission.version,
        "at": to_ms(submission.at),
        "state": submission.state.value,
        "workflow": submission.workflow,
        "target": submission.target,
        "subject_key": key(submission.subject_ref),
        "document": canonical(submission_document(submission)),
    }


def _decision_row(judged: Judged) -> dict[str, Any]:
    checks.storable(judged.decision, judged.facts)
    return decisions.row_of(judged.decision, judged.facts)


def _record(connection: Connection, judged: Judged, row: Mapping[str, Any]) -> None:
    if judged.decision.generation:
        generations.require_generation(connection, judged.decision.generation)
    decisions.record_decision(connection, judged.decision, row)
    blobs.keep_blobs(connection, "facts", [(judged.decision.input_digest, judged.facts)])


def _asked_under(connection: Connection, hash: str | None) -> Submission | None:
    return None if hash is None else _one(connection, submissions.c.asked_under == hash)


def _one(connection: Connection, condition: ColumnElement[bool]) -> Submission | None:
    document = connection.scalar(select(submissions.c.document).where(condition))
    return None if document is None else submission_from_document(json.loads(document))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
