"""The command line's edge: errors become one plain message and an exit code, logs become lines for people or machines."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from gateway.config import Settings

CANNOT = 2
"""Exit code: the command could not do its work (not: the answer is no)."""

ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="The configuration; by default admit.yaml in this folder.", show_default=False)
]


@contextmanager
def plain_errors() -> Iterator[None]:
    """What this house raises on purpose is printed with its advice; everything else is a bug and keeps its traceback."""
    from gateway.errors import GatewayError
    from policies.errors import PolicyError
    from providers.errors import ProviderError

    try:
        yield
    except (GatewayError, PolicyError, ProviderError) as problem:
        typer.echo(f"admit: {problem}", err=True)
        if problem.advice:
            typer.echo(f"  → {problem.advice}", err=True)
        raise typer.Exit(CANNOT) from problem


def settings_from(file: Path | None, *, tell: bool = False) -> Settings:
    """The configuration, or a plain error."""
    from gateway.config import DEFAULT_FILE, load_settings

    if tell and file is None and not DEFAULT_FILE.exists():
        typer.echo(f"admit: there is no {DEFAULT_FILE} in this folder: everything is at its default (name one with --config)", err=True)
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
