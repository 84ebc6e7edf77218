"""`admit check` as a command, from nothing to its answer, against `opa eval`: one document, and a thousand in one call.

`opa eval` judges one input each time, so a thousand are a thousand calls; fifty are made, and counted twenty times. Both
evaluate the same rule; ours also checks the bundle as the gateway would. Turns alternate, so that a busy machine is as busy
for each. As after an installation, ours is compiled: where Python is told to keep no bytecode, it would compile itself each time.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from policies.bundles.cases import a_document
from tests.benchmarks.rows import Row
from tests.e2e.process import ADMIT
from tests.servers.need import need

RULE = 'package merge.label\n\ndeny contains "no label" if count(input.change.labels) == 0\n'
MANIFEST = "name: acme\npolicies:\n  - package: merge.label\n    match: {action: merge}\n"
TURNS = 9
MANY = 1000
CALLS = 50
_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


async def measure() -> list[Row]:
    """One row each; milliseconds and seconds, of which fewer are better."""
    with tempfile.TemporaryDirectory(prefix="admit-bench-") as folder:
        return _measured(Path(folder), str(need("opa")))


def _measured(folder: Path, opa: str) -> list[Row]:
    bundle = folder / "acme"
    bundle.mkdir()
    (bundle / "bundle.yaml").write_text(MANIFEST)
    (bundle / "label.rego").write_text(RULE)
    names = [f"{number}.json" for number in range(MANY)]
    for number, name in enumerate(names):
        (folder / name).write_text(json.dumps(a_document({"change": {"number": number + 1}})))
    ours = [str(ADMIT), "check", "--policies", "acme", "--output", "json"]
    theirs = [opa, "eval", "--data", "acme/label.rego", "data.merge.label.deny", "--input"]
    _seconds([*ours, names[0]], folder)
    one = [(_seconds([*ours, names[0]], folder), _seconds([*theirs, names[0]], folder)) for _ in range(TURNS)]
    mine, its = (1000 * statistics.median(side) for side in zip(*one, strict=True))
    many = _seconds([*ours, *names], folder)
    calls = sum(_seconds([*theirs, name], folder) for name in names[:CALLS]) * (MANY / CALLS)
    return [
        Row(what="admit check, one document, cold", figure="ms", ours=mine, other=its, alternative="opa eval", better="lower"),
        Row(what=f"admit check, {MANY} documents", figure="s", ours=many, other=calls, alternative=f"{MANY} × opa eval", better="lower"),
    ]


def _seconds(command: Sequence[str], folder: Path) -> float:
    """Both say no with an exit code of their own: that there is an answer is what counts."""
    began = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=_ENVIRONMENT, capture_output=True, check=False)
    elapsed = time.perf_counter() - began
    assert b"no label" in done.stdout, done.stderr
    return elapsed
