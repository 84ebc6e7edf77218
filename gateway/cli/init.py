"""`admit init DIR`: a first bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.edge import CANNOT, plain_errors


def register(app: typer.Typer) -> None:
    app.command("init")(init)


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to make; it may exist if it is empty.")],
    name: Annotated[str | None, typer.Option(help="The bundle's name; by default the folder's.")] = None,
) -> None:
    """Make a first bundle: manifest, a policy with its test and cases, and the schema for your editor.

    Example: `admit init bundles/acme`
    """
    from policies.bundles.scaffold import scaffold

    with plain_errors():
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            typer.echo(f"admit: {folder} is not an empty folder; nothing was written", err=True)
            raise typer.Exit(CANNOT)
        files = scaffold(name or folder.resolve().name)
        for path, content in sorted(files.items()):
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            typer.echo(f"wrote {target}")
        typer.echo(f"\nTry it: admit check INPUT.json --policies {folder}")
