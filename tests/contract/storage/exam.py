"""The storage exam, whole: an adapter sits it by subclassing it with a fixture `storage`, and `outbox`: the ids dispatched."""

from __future__ import annotations

import pytest

from tests.contract.storage.exam_bundles import BundlesExam
from tests.contract.storage.exam_changes import ChangesExam
from tests.contract.storage.exam_decisions import DecisionsExam
from tests.contract.storage.exam_deliveries import DeliveriesExam
from tests.contract.storage.exam_erasing import ErasingExam
from tests.contract.storage.exam_generations import EndExam, GenerationsExam, TokensExam
from tests.contract.storage.exam_listing import ListingExam
from tests.contract.storage.exam_odd_values import OddValuesExam


@pytest.mark.anyio
class StorageExam(
    DeliveriesExam, GenerationsExam, BundlesExam, DecisionsExam, ListingExam, ChangesExam, TokensExam, ErasingExam, OddValuesExam, EndExam
):
    """Every promise of `gateway.storage.port`."""
