"""The `admit` command: one sub-application per room. Heavy imports wait until a command runs."""

import sys

QUICK = ("check", "test")
"""Commands that editors and hooks run at every save: they read their own arguments, and load nothing they do not use."""


def main() -> None:
    """Entry point of `admit`."""
    name, *arguments = sys.argv[1:] or [""]
    if name in QUICK:
        from importlib import import_module

        sys.exit(import_module(f"gateway.cli.{name}").main(arguments))
    from gateway.cli.app import app

    app()
