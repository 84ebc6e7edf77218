"""What every command does at its edge, without the libraries that make long commands pretty: plain errors, settings, logs.

Separate from `edge`, because `admit check` and `admit test` start in the time a library takes to load.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.config import Settings

CANNOT = 2
"""Exit code: the command could not do its work (not: the answer is no)."""

CONFIG_FILE = Path("admit.yaml")


@contextmanager
def plain_errors() -> Iterator[None]:
    """What this house raises on purpose is printed with its advice; everything else is a bug and keeps its traceback."""
    try:
        yield
    except Exception as problem:  # the process's edge; which of them are ours is asked then, since asking loads the rooms
        if not _ours(problem):
            raise
        complain(_told(problem))
        if advice := getattr(problem, "advice", None):
            print(f"  → {advice}", file=sys.stderr)
        raise SystemExit(CANNOT) from problem


def _ours(problem: Exception) -> bool:
    from gateway.errors import GatewayError
    from policies.errors import PolicyError
    from providers.errors import ProviderError

    return isinstance(problem, (GatewayError, PolicyError, ProviderError))


def _told(problem: Exception) -> str:
    from policies.errors import BundleRefused

    if not isinstance(problem, BundleRefused):
        return str(problem)
    from gateway.cli.source_lines import told

    return "\n".join(told(problem))


def complain(message: str) -> None:
    """One line (or more) on standard error, under the command's name."""
    print(f"admit: {message}", file=sys.stderr)


def settings_if_any(file: Path | None) -> Settings | None:
    """The configuration; None where none is named and none lies here, so that nothing has to be loaded to read it."""
    if file is None and not CONFIG_FILE.exists():
        return None
    return settings_from(file)


def settings_from(file: Path | None, *, tell: bool = False) -> Settings:
    """The configuration, or a plain error."""
    from gateway.config import DEFAULT_FILE, load_settings

    if tell and file is None and not DEFAULT_FILE.exists():
        complain(f"there is no {DEFAULT_FILE} in this folder: everything is at its default (name one with --config)")
    return load_settings(file)


def configure_logs(*, quiet: bool = False) -> None:
    """JSON lines on standard error; `quiet` keeps warnings and worse."""
    import logging

    import structlog

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=True),  # control characters in a title cannot forge a line
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING if quiet else logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
