"""The durable exam, whole: an engine sits it by subclassing it with a fixture `cores`.

`cores(workflows, activities, **options)` is an async context: a started core on the test's database, stopped in order
on the way out. Several, one after another or at once, share that database.
"""

from __future__ import annotations

import pytest

from tests.contract.durable.exam_dead_letters import DeadLettersExam
from tests.contract.durable.exam_histories import HistoriesExam
from tests.contract.durable.exam_recovery import RecoveryExam
from tests.contract.durable.exam_retries import RetriesExam
from tests.contract.durable.exam_signals import SignalsExam
from tests.contract.durable.exam_workflows import WorkflowsExam


@pytest.mark.anyio
class DurableExam(WorkflowsExam, SignalsExam, RetriesExam, HistoriesExam, DeadLettersExam, RecoveryExam):
    """Every promise of `gateway.durable.port`."""
