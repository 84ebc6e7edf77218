"""The bundles a dry run judges by. Separate from judging, which is loaded while the engine parses and compiles them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gateway.errors import ConfigurationWrong
from policies.bundles import Bundle
from policies.bundles.checking import checked_bundle
from policies.bundles.directory import read_bundle
from policies.engines import PolicyEngine


async def named_bundles(folders: Sequence[Path], engine: PolicyEngine) -> tuple[Bundle, ...]:
    """Read and checked, in order. Raises ConfigurationWrong where none is named, BundleRefused, EngineError."""
    if not folders:
        advice = "name a folder with --policies DIR, or list it under `bundles:` in admit.yaml"
        raise ConfigurationWrong("no bundle is named to judge by", advice=advice)
    return tuple([await checked_bundle(read_bundle(folder), engine, run_tests=False) for folder in folders])
