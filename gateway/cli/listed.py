"""How typer's list of commands shows those that read their own arguments (`quick`): typer passes on what it was given."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import typer


def list_among(app: typer.Typer, name: str, text: str, main: Callable[[Sequence[str]], int]) -> None:
    """Let `admit --help` list the command by the first line of its help, and run it where typer was loaded before."""
    settings = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}

    @app.command(name, help=text.splitlines()[0], context_settings=settings)
    def run(ctx: typer.Context) -> None:
        raise typer.Exit(main(ctx.args))
