"""What every test shares: how examples are searched for, and the closing summary that says aloud which real servers were missing."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

_PATIENT = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow], "print_blob": True}
"""No example is a failure for having taken long: a machine that stands still for a moment says nothing of the code."""

settings.register_profile("same", derandomize=True, **_PATIENT)
settings.register_profile("searching", **_PATIENT)
settings.load_profile("same")  # a run says what was changed, not what was drawn; to look further: --hypothesis-profile searching


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
