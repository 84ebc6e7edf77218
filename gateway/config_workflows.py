"""`workflows:` of `admit.yaml`: what may be submitted, where it may run, and what its input has to look like.

And `approvals:`, how long people's words are good, and how accounts of one human are known.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from gateway.config_parts import Part


class WorkflowSettings(Part):
    """One workflow by the name policies and submitters know it.

    targets: where it may run, the first where the submitter names none. input: a JSON Schema (draft 2020-12) written here,
    or the path of a file with one; any JSON object where nothing is said.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,100}$")
    targets: tuple[str, ...] = Field(min_length=1)
    input: Path | Mapping[str, Any] | None = None


class ApprovalSettings(Part):
    """valid_days: how long an approval counts. same_person: the relation between accounts of one human in the relations'
    model (`user:home/9` is `same_person` of `user:work/1`); without one, an account is a human."""

    valid_days: float = Field(default=7.0, gt=0, le=366)
    same_person: str | None = Field(default=None, pattern=r"^[^:#@\s]{1,50}$")
