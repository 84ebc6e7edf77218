"""Operations as activities: registered by name, JSON in and out, so that workflows never import them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from gateway.domain.record import Decision
from gateway.durable import Activity
from gateway.errors import GatewayError
from gateway.operations.erase import ErasePerson, RetireRecord
from gateway.operations.judge_change import JudgeChange
from gateway.operations.judge_group import JudgeGroup
from gateway.operations.override import OverrideChange
from gateway.operations.own_policies_moved import OwnPoliciesMoved
from gateway.operations.reconcile import Reconcile
from gateway.operations.report_status import ReportKey, ReportStatus
from gateway.operations.seal_record import SealRecord
from policies import Json, rfc3339
from providers.errors import PermanentError
from providers.vcs import ChangeEvent, ChangeKey, MergeGroup


def activities(
    *,
    judge_change: JudgeChange,
    judge_group: JudgeGroup,
    report_status: ReportStatus,
    own_policies_moved: OwnPoliciesMoved,
    reconcile: Reconcile,
    seal_record: SealRecord,
    override_change: OverrideChange,
    erase_person: ErasePerson,
    retire_record: RetireRecord,
) -> Mapping[str, Activity]:
    """Every activity by the name workflows call it."""

    async def _judge_change(change: Json, hint: Json) -> Json:
        assert isinstance(change, dict)
        key = ChangeKey(repository=str(change["repository"]), number=int(str(change["number"])))
        with refusals_are_permanent():
            decision = await judge_change(str(change["connection"]), key, hint=_event(key, hint), touches=_touches(hint))
        if decision is None:
            return {"decision": None, "outcome": None, "again": False, "valid_until": None}
        end = _judged_again_at(decision)
        return {
            "decision": decision.id,
            "outcome": decision.outcome.value,
            "again": decision.verdict.may_change_by_itself,
            "valid_until": rfc3339(end) if end else None,
        }

    async def _judge_group(input: Json, tries_left: Json) -> Json:
        assert isinstance(input, dict)
        group = MergeGroup(**{name: str(value) for name, value in input.items() if name != "connection"})
        with refusals_are_permanent():
            answer = await judge_group(str(input["connection"]), group, tries_left=int(str(tries_left)))
        return {"state": answer.state.value, "again": answer.again}

    async def _report_status(key: Json, check: Json) -> Json:
        assert isinstance(key, dict)
        with refusals_are_permanent():
            status = await report_status(ReportKey(**{name: str(value) for name, value in key.items()}), check=bool(check))
        return status.state.value if status else None

    async def _own_policies_moved(place: Json) -> Json:
        assert isinstance(place, dict)
        with refusals_are_permanent():
            return await own_policies_moved(**{name: str(value) for name, value in place.items()})

    async def _watched_repositories(connection: Json) -> Json:
        with refusals_are_permanent():
            found = await reconcile.repositories(str(connection))
        return None if found is None else {"live": list(found[0]), "idle": list(found[1])}

    async def _reconcile_repository(connection: Json, repository: Json, thorough: Json) -> Json:
        with refusals_are_permanent():
            return await reconcile.repository(str(connection), str(repository), thorough=bool(thorough))

    async def _erase_person(actor: Json, cursor: Json, by: Json) -> Json:
        assert cursor is None or isinstance(cursor, dict)
        return await erase_person.page(str(actor), cursor, by=str(by))

    async def _end_override(change: Json) -> Json:
        assert isinstance(change, dict)
        return await override_change.ended(str(change["connection"]), str(change["repository"]), int(str(change["number"])))

    return {
        "judge_change": _judge_change,
        "judge_group": _judge_group,
        "report_status": _report_status,
        "own_policies_moved": _own_policies_moved,
        "watched_repositories": _watched_repositories,
        "reconcile_repository": _reconcile_repository,
        "seal_record": seal_record,
        "end_override": _end_override,
        "erase_person": _erase_person,
        "retire_record": retire_record,
    }


def _judged_again_at(decision: Decision) -> datetime | None:
    """Where the verdict ends, or where waiting for people does."""
    ends = [decision.verdict.valid_until, *(hold.expires_at for hold in decision.verdict.holds)]
    return min([end for end in ends if end is not None and end > decision.at], default=None)


def _touches(hint: Any) -> frozenset[str] | None:
    names = hint.get("touches") if hint is not None else None
    return None if names is None else frozenset(map(str, names))


@contextmanager
def refusals_are_permanent() -> Iterator[None]:
    """What the gateway itself refuses (an unknown connection, a broken record) no retry will change."""
    try:
        yield
    except GatewayError as problem:
        raise PermanentError(str(problem), advice=problem.advice) from problem


def _event(key: ChangeKey, hint: Any) -> ChangeEvent | None:
    if hint is None:
        return None
    updated = hint["updated_at"]
    return ChangeEvent(
        key=key,
        what=hint["what"],
        head_sha=hint["head_sha"],
        updated_at=datetime.fromisoformat(updated) if updated else None,
        by=hint["by"],
    )
