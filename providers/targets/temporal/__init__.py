"""Workflows run on a Temporal cluster, by workers of its users."""

from providers.targets.temporal.adapter import TemporalTarget
from providers.targets.temporal.cluster import Tls

__all__ = ["TemporalTarget", "Tls"]
