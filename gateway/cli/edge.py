"""The command line's edge as typer's commands see it: errors, settings and logs as in `plain`, and the options they share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.plain import CANNOT, configure_logs, plain_errors, settings_from

__all__ = ["CANNOT", "ConfigFile", "configure_logs", "plain_errors", "settings_from"]

ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="The configuration; by default admit.yaml in this folder.", show_default=False)
]
