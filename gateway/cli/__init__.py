"""The `admit` command: one sub-application per room. Heavy imports wait until a command runs."""


def main() -> None:
    """Entry point of `admit`."""
    from gateway.cli.app import app

    app()
