"""Both engines sit one exam: `engine` is each adapter in turn, `run` drives its loop."""

from __future__ import annotations

import asyncio

import pytest

from policies.engines.opa_library import OpaLibrary
from policies.engines.opa_server import OpaServer
from tests.servers.need import need


def _library(**limits):
    return OpaLibrary(workers=1, **limits)


def _server(listen):
    return lambda **limits: OpaServer(binary=need("opa"), listen=listen, **limits)


ADAPTERS = {"library": _library, "server over a unix socket": _server("unix"), "server over tcp": _server("tcp")}


@pytest.fixture(scope="package")
def runner():
    """One loop for all tests of the room: workers belong to a loop."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="package")
def run(runner):
    """Run a coroutine to its end."""
    return runner.run


@pytest.fixture(scope="package", params=ADAPTERS)
def adapter(request):
    """Makes an engine with the limits given."""
    return ADAPTERS[request.param]


@pytest.fixture(scope="package")
def engine(adapter, run):
    """An engine with generous limits, shared by the tests that do no harm."""
    engine = adapter(evaluation_deadline=30.0, compile_deadline=60.0)
    yield engine
    run(engine.close())


@pytest.fixture
def make_engine(adapter, run):
    """Engines of a test's own: they may be killed."""
    made = []

    def make(**limits):
        made.append(adapter(**limits))
        return made[-1]

    yield make
    for engine in made:
        run(engine.close())
