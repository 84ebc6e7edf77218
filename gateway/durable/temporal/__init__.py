"""The durable core on Temporal: the same workflow files, histories, schedules and orders, kept by a Temporal cluster."""

from gateway.durable.temporal.core import TemporalDurableCore

__all__ = ["TemporalDurableCore"]
