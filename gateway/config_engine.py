"""How policies are evaluated: `engine:` in `admit.yaml`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from gateway.config_parts import Part


def _bytes(value: object) -> object:
    """`512 MiB`, `1GiB` → bytes; a plain number is bytes already."""
    found = re.fullmatch(r"(\d+)\s*(KiB|MiB|GiB)", value) if isinstance(value, str) else None
    if found is None:
        return value
    return int(found[1]) << {"KiB": 10, "MiB": 20, "GiB": 30}[found[2]]


Bytes = Annotated[int, BeforeValidator(_bytes)]


class Engine(Part):
    """How policies are evaluated. Times in seconds.

    adapter: OPA as a library in at most `workers` processes (each holds the bundles in force), or OPA's own server, a process
    for each bundle, `workers` evaluations at once; by default as many as processors, four at most. opa: its binary, for the
    server and for a second opinion on bundles; by default the one on the PATH. own_compile_deadline: to parse, and to
    compile, what a repository brings in `.admit/`.
    memory_limit: of one worker, in bytes or as `512 MiB`. queue_limit, patience: how many evaluations may wait, and how long
    each. quarantine_after: so many workers killed within an hour, and a bundle is not run until they are that old.
    """

    adapter: Literal["library", "server"] = "library"
    opa: Path | None = None
    workers: int | None = Field(default=None, ge=1, le=64)
    compile_deadline: float = Field(default=30.0, gt=0)
    own_compile_deadline: float = Field(default=5.0, gt=0)
    evaluation_deadline: float = Field(default=2.0, gt=0)
    memory_limit: Bytes = Field(default=1 << 30, ge=128 << 20, le=3 << 30)
    queue_limit: int = Field(default=1000, ge=1)
    patience: float = Field(default=30.0, gt=0)
    quarantine_after: int = Field(default=3, ge=1)
