"""Jobs of a Dagster code location as workflows."""

from providers.targets.dagster.adapter import DagsterTarget, Job

__all__ = ["DagsterTarget", "Job"]
