"""The `admit` command: one sub-application per room. Heavy imports wait until a command runs."""

import gc
import sys

QUICK = ("check", "test")
"""Commands that editors and hooks run at every save: they read their own arguments, and load nothing they do not use."""

_OBJECTS = 50_000
"""Made before garbage is looked for. What a command loads stays to its end, and looking through it takes a tenth of its time."""


def main() -> None:
    """Entry point of `admit`."""
    name, *arguments = sys.argv[1:] or [""]
    if name in QUICK:
        from importlib import import_module

        gc.set_threshold(_OBJECTS)
        code = import_module(f"gateway.cli.{name}").main(arguments)
        gc.freeze()  # nor at the end, where the interpreter would look for it three times
        sys.exit(code)
    from gateway.cli.app import app
    from gateway.cli.leaving import leaving_threads_behind

    with leaving_threads_behind():
        app()
