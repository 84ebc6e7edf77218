"""What is kept: the port, its values, and the database it shares with the durable core."""

from gateway.storage.database import Database
from gateway.storage.port import (
    BundleRevision,
    Concerned,
    DecisionFilter,
    DecisionPage,
    PostedReport,
    Seen,
    Storage,
    StoredBundle,
    StoredToken,
)
from gateway.storage.relations import RelationsHead, RelationStore, StoredModel, TupleFilter, TuplePage
from gateway.storage.sealing import SealedRecord

__all__ = [
    "BundleRevision",
    "Concerned",
    "Database",
    "DecisionFilter",
    "DecisionPage",
    "PostedReport",
    "RelationStore",
    "RelationsHead",
    "SealedRecord",
    "Seen",
    "Storage",
    "StoredBundle",
    "StoredModel",
    "StoredToken",
    "TupleFilter",
    "TuplePage",
]
