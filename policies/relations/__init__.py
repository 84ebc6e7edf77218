"""Relationship checks: the port."""

from policies.relations.port import (
    Relations,
)

__all__ = [
    "Relations",
]
