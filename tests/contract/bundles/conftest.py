"""One engine for all tests of a file, and a loop to ask it on."""

from __future__ import annotations

import asyncio

import pytest

from policies.bundles.checking import checked_bundle
from policies.engines.opa_library import OpaLibrary


@pytest.fixture(scope="module")
def check():
    """`check(files)`: the checked bundle, or what `checked_bundle` raises."""
    with asyncio.Runner() as runner:
        engine = OpaLibrary()

        def checked(files, **options):
            return runner.run(checked_bundle(files, engine, **options))

        yield checked
        runner.run(engine.close())
