"""What is kept: the port, its values, and the database it shares with the durable core."""

from gateway.storage.database import Database
from gateway.storage.port import BundleRevision, Concerned, DecisionFilter, DecisionPage, PostedReport, Storage, StoredBundle, StoredToken

__all__ = [
    "BundleRevision",
    "Concerned",
    "Database",
    "DecisionFilter",
    "DecisionPage",
    "PostedReport",
    "Storage",
    "StoredBundle",
    "StoredToken",
]
