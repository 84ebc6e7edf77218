"""A flow of Prefect's users, served by a process of theirs. Runs in Prefect's own environment."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from prefect import flow


@flow(name="roll-out", log_prints=True)
def roll_out(version: str, end: str = "well") -> str:
    """end: well, badly, or when a file of that name is there."""
    if end == "badly":
        raise RuntimeError("the new version does not answer")
    while end not in {"well", "badly"} and not Path(end).exists():
        time.sleep(0.2)
    return version


if __name__ == "__main__":
    roll_out.serve(name=sys.argv[1])
