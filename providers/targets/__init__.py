"""Where workflows run: the port and its values."""

from providers.targets.port import (
    Run,
    RunKey,
    RunState,
    Target,
    TargetCapabilities,
)

__all__ = [
    "Run",
    "RunKey",
    "RunState",
    "Target",
    "TargetCapabilities",
]
