"""`/metrics`: Prometheus. How things stand is computed from the database all gateways share; what this one did is counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from gateway.api.webhooks import Asked
from gateway.domain.clock import utc_now
from gateway.domain.override import in_force
from gateway.domain.submission import SubmissionState
from gateway.durable import QueueState
from gateway.operations.measures import MEASURES

router = APIRouter(tags=["health"])

_ALL = 1_000_000
"""Open changes: a count that stops somewhere is worse than none."""


@router.get("/metrics")
async def metrics(asked: Asked) -> Response:
    """How the work stands, open changes by outcome, open submissions by state, and the generation in force."""
    registry = CollectorRegistry(auto_describe=False)
    outcomes: dict[str, int] = {}
    overridden, now = 0, utc_now()
    for change in await asked.storage.changes(limit=_ALL):
        if change.outcome is not None:
            outcomes[change.outcome.value] = outcomes.get(change.outcome.value, 0) + 1
        overridden += in_force(change.override, now)
    generation = await asked.storage.generation()
    registry.register(
        _Standing(
            queue=await asked.core.queue(),
            attempts=asked.core.attempts(),
            outcomes=outcomes,
            overridden=overridden,
            submissions=await asked.submitting.submissions.open(),
            generation=generation.number if generation else 0,
        )
    )
    return Response(generate_latest(registry) + generate_latest(MEASURES), media_type=CONTENT_TYPE_LATEST)


class _Standing:
    """prometheus_client's collector protocol."""

    def __init__(
        self,
        *,
        queue: QueueState,
        attempts: Mapping[tuple[str, str], int],
        outcomes: dict[str, int],
        overridden: int,
        submissions: Mapping[SubmissionState, int],
        generation: int,
    ) -> None:
        self._queue, self._attempts, self._outcomes, self._overridden, self._generation = queue, attempts, outcomes, overridden, generation
        self._submissions = submissions

    def collect(self) -> Iterator[Metric]:
        """Every metric, once."""
        work = GaugeMetricFamily("admit_workflows", "Workflow runs and dispatches, by how they stand.", labels=["state"])
        for state in ("waiting", "running", "parked"):
            work.add_metric([state], getattr(self._queue, state))
        yield work
        due = self._queue.oldest_due_at
        age = max(0.0, (utc_now() - due).total_seconds()) if due else 0.0
        yield GaugeMetricFamily("admit_workflows_oldest_due_seconds", "The lag: how long the oldest due work has waited.", value=age)
        yield GaugeMetricFamily("admit_dead_letters", "Workflow runs that were given up and not revived.", value=self._queue.dead_letters)
        attempts = CounterMetricFamily(
            "admit_activity_attempts", "Attempts this process has made, by activity and outcome.", labels=["activity", "outcome"]
        )
        for (activity, outcome), count in sorted(self._attempts.items()):
            attempts.add_metric([activity, outcome], count)
        yield attempts
        changes = GaugeMetricFamily("admit_open_changes", "Open changes, by the outcome in force.", labels=["outcome"])
        for outcome in ("admitted", "denied", "held", "undecided"):
            changes.add_metric([outcome], self._outcomes.get(outcome, 0))
        yield changes
        yield GaugeMetricFamily("admit_overridden_changes", "Open changes with an override in force.", value=self._overridden)
        submissions = GaugeMetricFamily("admit_open_submissions", "Submissions that have not ended, by how they stand.", labels=["state"])
        for state in SubmissionState:
            if not state.ended:
                submissions.add_metric([state.value], self._submissions.get(state, 0))
        yield submissions
        yield GaugeMetricFamily("admit_generation", "The generation of bundles in force.", value=self._generation)
