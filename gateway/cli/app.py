"""The `admit` command line: the root application and the commands it is made of, one module each.

Modules here import nothing heavy at the top: `admit --help` is read more often than anything else.
"""

import typer

from gateway.cli import (
    bundle,
    check,
    connect,
    demo,
    doctor,
    init,
    log,
    migrate,
    override,
    relations,
    replay,
    serve,
    submission,
    submit,
    test,
    token,
    workflow,
)

app = typer.Typer(name="admit", no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode="markdown")


@app.callback()
def admit() -> None:
    """A policy admission gateway for merges and workflows.

    Start with `admit demo`, then `admit init DIR`, `admit check` and `admit serve`.
    """


COMMANDS = (
    demo,
    serve,
    connect,
    check,
    test,
    replay,
    bundle,
    submit,
    submission,
    workflow,
    override,
    relations,
    token,
    log,
    init,
    doctor,
    migrate,
)
for module in COMMANDS:
    module.register(app)
