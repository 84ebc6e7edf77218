"""`admit test`: a bundle's own Rego tests and cases."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.edge import CANNOT, ConfigFile, configure_logs, plain_errors, settings_from

if TYPE_CHECKING:
    from gateway.cli.trial import Trial
    from gateway.config import Settings


class Output(StrEnum):
    """For whom the answer is written."""

    TEXT = "text"
    JSON = "json"
    JUNIT = "junit"


def register(app: typer.Typer) -> None:
    app.command("test")(run_tests)


def run_tests(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR…", help="Bundles: folders, or tar.gz files.", show_default=False)],
    coverage: Annotated[bool, typer.Option("--coverage", help="Say which lines of the policies no test reaches.")] = False,
    threshold: Annotated[
        float | None, typer.Option(min=0, max=100, metavar="PERCENT", help="Fail below this share of lines reached.", show_default=False)
    ] = None,
    output: Annotated[Output, typer.Option(help="How to write the answer.")] = Output.TEXT,
    config: ConfigFile = None,
) -> None:
    """Run a bundle's own Rego tests and its cases. As `opa test`, but a builtin that errs fails its test.

    Exit code: 0 all passed, 1 one failed or too little is covered, 2 a bundle cannot be tried or has nothing to try.

    Example: `admit test bundles/acme`

    Example: `admit test bundles/* --threshold 90 --output junit`
    """
    configure_logs(quiet=True)
    with plain_errors():
        settings = settings_from(config)
        trials = asyncio.run(_try(settings, _bundles_among(folders), coverage=coverage or threshold is not None))

        from gateway.cli.trial_outputs import below, render

        sys.stdout.write(render(output.value, trials, threshold=threshold))
        if any(trial.problems for trial in trials):
            raise typer.Exit(CANNOT)
        raise typer.Exit(int(any(trial.failed or below(trial, threshold) for trial in trials)))


def _bundles_among(paths: Sequence[Path]) -> list[Path]:
    """`bundles/*` names whatever lies there: files beside the bundles are left out, aloud. One named alone is meant."""
    bundles = [path for path in paths if not path.is_file() or path.name.endswith((".tar.gz", ".tgz"))]
    if not bundles:
        return list(paths)
    for path in paths:
        if path not in bundles:
            typer.echo(f"admit: left out {path}: a bundle is a folder or a tar.gz", err=True)
    return bundles


async def _try(settings: Settings, folders: Sequence[Path], *, coverage: bool) -> list[Trial]:
    from gateway import wiring
    from gateway.cli.trial import tried_bundle

    engine = wiring.build_engine(settings.engine)
    try:
        opa = wiring.opa_binary(settings.engine)
        return [await tried_bundle(folder, engine, coverage=coverage, opa=opa) for folder in folders]
    finally:
        await engine.close()
