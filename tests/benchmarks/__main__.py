"""`make bench`: every measurement, or those named; a table for people, or `--json`."""

from __future__ import annotations

import argparse
import importlib
import json
import sys

import uvloop

from tests.benchmarks.rows import Row, documents, table

MEASUREMENTS = (
    "forges",
    "journey",
    "gateway",
    "gateway_growth",
    "gateway_memory",
    "engines",
    "check",
    "durable",
    "submissions",
    "relations",
)
"""Modules of this package, each with `async def measure() -> list[Row]`."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("which", nargs="*", choices=[[], *MEASUREMENTS], default=[])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows: list[Row] = []
    for name in options.which or MEASUREMENTS:
        print(f"measuring {name} …", file=sys.stderr, flush=True)
        rows += uvloop.run(importlib.import_module(f"tests.benchmarks.{name}").measure())
    print(json.dumps(documents(rows), indent=2) if options.json else table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
