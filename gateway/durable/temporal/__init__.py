"""The durable core on Temporal: the same workflow files, histories, schedules and orders, kept by a Temporal cluster."""

from gateway.durable.temporal.core import TemporalDurableCore
from gateway.durable.temporal.credentials import Credentials

__all__ = ["Credentials", "TemporalDurableCore"]
