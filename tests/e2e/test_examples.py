"""Every example runs, and prints what it says it prints."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.e2e.process import ADMIT

EXAMPLES = sorted(path.parent for path in (Path(__file__).parent.parent.parent / "examples").glob("*/run.sh"))


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_prints_what_is_expected(example):
    """`run.sh` succeeds, and its output is the one kept beside it."""
    environment = {**os.environ, "PATH": f"{ADMIT.parent}{os.pathsep}{os.environ['PATH']}"}
    ran = subprocess.run([example / "run.sh"], env=environment, capture_output=True, text=True, timeout=3500, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == (example / "expected.txt").read_text()
    assert (example / "README.md").exists()


def test_there_are_examples():
    """A table without rows would test nothing."""
    assert EXAMPLES
