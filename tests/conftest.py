"""What every test shares: where it puts its files, how examples are searched for, which files go first, and a closing word on
servers that were missing."""

from __future__ import annotations

import os
import tempfile

import pytest
from hypothesis import HealthCheck, settings

_PATIENT = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow], "print_blob": True}
"""No example is a failure for having taken long: a machine that stands still for a moment says nothing of the code."""

settings.register_profile("same", derandomize=True, **_PATIENT)
settings.register_profile("searching", **_PATIENT)
settings.load_profile("same")  # a run says what was changed, not what was drawn; to look further: --hypothesis-profile searching


_MEMORY = "/dev/shm"
_ROOM = 4 << 30


def _use_memory() -> None:
    """Temporary files of the tests and of their servers go into memory where there is room for them and programs may be run from
    it: they outlive no power cut, and waiting for a disk to promise that they would is long. TMPDIR chooses another place."""
    if "TMPDIR" in os.environ or not os.access(_MEMORY, os.W_OK | os.X_OK):
        return
    found = os.statvfs(_MEMORY)
    if found.f_bavail * found.f_frsize >= _ROOM and not found.f_flag & os.ST_NOEXEC:
        os.environ["TMPDIR"] = _MEMORY
        tempfile.tempdir = None  # pytest has asked already where it is


_use_memory()

_LONGEST_FIRST = (
    "torture",
    "test_against_the_server",
    "test_death",
    "tests/contract/vcs/",
    "test_gitea",
    "tests/e2e/",
    "tests/integration/",
    "tests/contract/",
)
"""Parts of a file's name. A file is one worker's: whatever is long and begins last is waited for by all others."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; within a file, and among files of a kind, the order stays."""
    items.sort(key=lambda item: next((rank for rank, part in enumerate(_LONGEST_FIRST) if part in item.nodeid), len(_LONGEST_FIRST)))


def pytest_xdist_auto_num_workers() -> int | None:
    """Half as many again as there are processors: half of what a worker does is to wait for a server. None: as is told otherwise."""
    return None if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ else max(2, 3 * (os.cpu_count() or 1) // 2)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name each missing server once, with how to get it and how many tests it cost."""
    missing: dict[str, int] = {}
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if "server '" in reason:
            text = reason.removeprefix("Skipped: ")
            missing[text] = missing.get(text, 0) + 1
    if missing:
        terminalreporter.section("NOT TESTED on real servers", red=True)
        for text, count in sorted(missing.items()):
            terminalreporter.write_line(f"{count} tests skipped: {text}")
