"""`make torture`: every torture, or those named, one after another, ten minutes each.

A torture is a function `(seconds, seed) -> Outcome` in a module of this package or beside what it tortures; to join, it is
named in TORTURES.
"""

from __future__ import annotations

import argparse
import importlib
import sys

import pytest

from tests.torture.outcome import seconds, seed

TORTURES = {
    "durable-sqlite": "tests.torture.durable:on_sqlite",
    "durable-postgresql": "tests.torture.durable:on_postgresql",
    "durable-mariadb": "tests.torture.durable:on_mariadb",
    "relations": "tests.torture.relations:against_openfga",
}
TEN_MINUTES = 600.0


def main() -> int:
    """Exit 0 when nothing was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("which", nargs="*", choices=[[], *TORTURES], default=[])
    parser.add_argument("--seconds", type=float, default=seconds(TEN_MINUTES), help="for each (ADMIT_TORTURE_SECONDS)")
    options = parser.parse_args()
    failed = []
    for name in options.which or TORTURES:
        print(f"{name}: {options.seconds:g} s …", flush=True)
        module, _, function = TORTURES[name].partition(":")
        try:
            outcome = getattr(importlib.import_module(module), function)(options.seconds, seed())
        except pytest.skip.Exception as missing:  # a server that cannot be had here
            print(f"{name}: NOT RUN: {missing}", flush=True)
            continue
        print(f"{name}: {outcome.told()}", flush=True)
        failed += [name] if outcome.problems else []
    print(f"torture: {'failed: ' + ', '.join(failed) if failed else 'nothing wrong'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
