"""A forge in memory: it ships for the demo, is what tests drive, and sits the same exam as the real ones."""

from providers.vcs.memory.adapter import MemoryForge
from providers.vcs.memory.deliveries import PendingDelivery
from providers.vcs.memory.setup import MemorySetup
from providers.vcs.memory.weather import Weather

__all__ = ["MemoryForge", "MemorySetup", "PendingDelivery", "Weather"]
