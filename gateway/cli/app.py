"""The `admit` command line: the root application and what it is made of."""

import typer

app = typer.Typer(name="admit", no_args_is_help=True)


@app.callback()
def admit() -> None:
    """A policy admission gateway for merges and workflows."""
