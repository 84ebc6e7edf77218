"""The model to begin with: organisations, teams, repositories and environments, and people with accounts on several forges."""

from __future__ import annotations

from importlib import resources


def starter_text() -> str:
    """The DSL of `starter.fga`, comments included."""
    return (resources.files(__package__) / "starter.fga").read_text(encoding="utf-8")
