"""Python environments of what we are compared with: each of its own, made when first asked for, in the cache outside the tree."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CACHE = Path(os.environ.get("ADMIT_BENCH_CACHE") or Path.home() / ".cache" / "admittance" / "bench")


def python_of(name: str, *requirements: str) -> Path | None:
    """The interpreter of the environment that has these; None, said aloud, where it cannot be made."""
    folder = CACHE / name
    python, finished = folder / "bin" / "python", folder / ".finished"
    if finished.is_file():
        return python
    print(f"bench: making the environment of {name}, a minute the first time", file=sys.stderr, flush=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
        if done.returncode != 0:
            print(f"bench: NO {name} HERE, its rows are missing: {done.stderr.strip()[-300:]}", file=sys.stderr, flush=True)
            return None
    finished.touch()
    return python
