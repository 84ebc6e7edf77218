"""`admit check`: a dry run of policies on documents, or on a real change, with nothing recorded and nothing reported."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.cli.plain import configure_logs, plain_errors
from gateway.cli.quick import Arguments, with_engine

if TYPE_CHECKING:
    import typer

    from gateway.cli.outputs import Checked
    from gateway.config import Settings
    from policies.engines import PolicyEngine

HELP = """\
Dry run: judge input documents, or a real change, offline. Nothing is recorded or reported.

Exit code: 0 all admitted, 1 one is denied or held, 2 one is undecided or cannot be evaluated.

Example: admit check change.json --policies bundles/acme

Example: admit check --change https://git.example.com/acme/app/pulls/7 --output json
"""
OUTPUTS = ("text", "json", "junit", "sarif", "github")


def register(app: typer.Typer) -> None:
    from gateway.cli.listed import list_among

    list_among(app, "check", HELP, main)


def _options(parser: Arguments) -> None:
    parser.add_argument("inputs", nargs="*", metavar="INPUT", help="input documents (JSON or YAML); - reads one from standard input")
    parser.add_argument("--change", action="append", default=[], metavar="URL", help="a real change, read through its connection")
    parser.add_argument(
        "--policies", action="append", default=[], type=Path, metavar="DIR", help="bundles to judge by; by default those of admit.yaml"
    )
    parser.add_argument(
        "--relations", type=Path, metavar="FILE", help="relationships as an OpenFGA store file; by default as admit.yaml says"
    )
    parser.add_argument("--at", type=_moment, metavar="TIME", help="judge as if it were this time (RFC 3339)")
    parser.add_argument("--output", choices=OUTPUTS, default="text", help="how to write the answer (default: %(default)s)")
    parser.add_argument("--config", type=Path, metavar="FILE", help="the configuration; by default admit.yaml in this folder")


def main(arguments: Sequence[str]) -> int:
    """The exit code."""
    parser = Arguments("check", HELP, _options)
    options = parser.parse_intermixed_args(arguments)
    if not options.inputs and not options.change:
        parser.error("name an input document, - or --change URL")
    with plain_errors():
        found = with_engine(options.config, lambda settings, engine: _checked(options, settings, engine))

        from gateway.cli.outputs import exit_code, render

        sys.stdout.write(render(options.output, found))
        return exit_code(found)


async def _checked(options: argparse.Namespace, settings: Settings | None, engine: PolicyEngine) -> list[Checked]:
    """What judging needs is loaded while the engine parses and compiles the bundles."""
    from importlib import import_module

    from gateway.cli.named_bundles import named_bundles
    from policies.loop import running_loop, turn

    if options.change:
        configure_logs(quiet=True)
    checking = running_loop().create_task(named_bundles(options.policies or (settings.bundles if settings else ()), engine))
    for name in ("gateway.cli.outputs", "gateway.operations.judge", "policies.document", "gateway.cli.dry_run"):
        await turn()
        import_module(name)

    from gateway.cli.dry_run import Basis, dry_run

    basis = Basis.of(settings, engine=engine, bundles=await checking, relations=options.relations)
    async with dry_run(basis, at=options.at) as run:
        return [*await run.documents(options.inputs), *[await run.change(url) for url in options.change]]


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise argparse.ArgumentTypeError(f"expected a time such as 2026-01-31T12:00:00Z, found {text!r}")
    return moment
