"""Commands that read their arguments with the standard library alone."""

from __future__ import annotations

import argparse
from collections.abc import Callable


class Arguments(argparse.ArgumentParser):
    """A parser of one command. text: its help, as it is to be read."""

    def __init__(self, name: str, text: str, options: Callable[[Arguments], None]) -> None:
        super().__init__(
            prog=f"admit {name}",
            description=text,
            formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, max_help_position=32, width=120),
            allow_abbrev=False,
        )
        options(self)
