"""`admit test`: a bundle's own Rego tests and cases."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.cli.plain import CANNOT, complain, plain_errors
from gateway.cli.quick import Arguments, with_engine

if TYPE_CHECKING:
    import typer

    from gateway.cli.trial import Trial
    from gateway.config import Settings
    from policies.engines import PolicyEngine

HELP = """\
Run a bundle's own Rego tests and its cases. As `opa test`, but a builtin that errs fails its test.

Exit code: 0 all passed, 1 one failed or too little is covered, 2 a bundle cannot be tried or has nothing to try.

Example: admit test bundles/acme

Example: admit test bundles/* --threshold 90 --output junit
"""
OUTPUTS = ("text", "json", "junit")


def register(app: typer.Typer) -> None:
    from gateway.cli.listed import list_among

    list_among(app, "test", HELP, main)


def _options(parser: Arguments) -> None:
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="bundles: folders, or tar.gz files")
    parser.add_argument("--coverage", action="store_true", help="say which lines of the policies no test reaches")
    parser.add_argument("--threshold", type=_percent, metavar="PERCENT", help="fail below this share of lines reached")
    parser.add_argument("--output", choices=OUTPUTS, default="text", help="how to write the answer (default: %(default)s)")
    parser.add_argument("--config", type=Path, metavar="FILE", help="the configuration; by default admit.yaml in this folder")


def main(arguments: Sequence[str]) -> int:
    """The exit code."""
    options = Arguments("test", HELP, _options).parse_intermixed_args(arguments)
    with plain_errors():
        trials = with_engine(options.config, lambda settings, engine: _tried(options, settings, engine))

        from gateway.cli.trial_outputs import below, render

        sys.stdout.write(render(options.output, trials, threshold=options.threshold))
        if any(trial.problems for trial in trials):
            return CANNOT
        return int(any(trial.failed or below(trial, options.threshold) for trial in trials))


def _percent(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 100, found {text!r}")
    return value


def _bundles_among(paths: Sequence[Path]) -> list[Path]:
    """`bundles/*` names whatever lies there: files beside the bundles are left out, aloud. One named alone is meant."""
    bundles = [path for path in paths if not path.is_file() or path.name.endswith((".tar.gz", ".tgz"))]
    if not bundles:
        return list(paths)
    for path in paths:
        if path not in bundles:
            complain(f"left out {path}: a bundle is a folder or a tar.gz")
    return bundles


async def _tried(options: argparse.Namespace, settings: Settings | None, engine: PolicyEngine) -> list[Trial]:
    from gateway import wiring
    from gateway.cli.trial import tried_bundle

    opa = wiring.opa_binary(settings.engine if settings else None)
    wanted = options.coverage or options.threshold is not None
    return [await tried_bundle(folder, engine, coverage=wanted, opa=opa) for folder in _bundles_among(options.folders)]
