"""What engines do to stay healthy: make room, wear out, start again, and end with whoever started them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from policies.engines import launch, worker_pool, worker_seat
from policies.engines.opa_library import OpaLibrary
from policies.engines.opa_server import OpaServer
from policies.errors import EngineUnavailable
from tests.contract.engines.samples import a_bundle, an_evaluation
from tests.contract.engines.test_faults import FINE, children
from tests.servers.need import need

LINUX = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks at processes in /proc")


def a_numbered_bundle(number):
    """Its only policy answers the number."""
    return a_bundle(f"package p\n\nanswer := {number}\n", name=f"bundle-{number}")


def test_more_bundles_than_a_worker_holds(run):
    """The one longest unused makes room, and is loaded again when asked for."""
    engine = OpaLibrary()
    bundles = [a_numbered_bundle(number) for number in range(40)]
    for _ in range(2):
        answers = [run(engine.evaluate(an_evaluation(bundle, "p")))["p"]["answer"] for bundle in bundles]
        assert answers == list(range(40))
    run(engine.close())


def test_more_bundles_than_servers(run):
    """The server longest unused makes room, and is started again when asked for."""
    engine = OpaServer(binary=need("opa"), servers=2, compile_deadline=60.0, evaluation_deadline=60.0)
    bundles = [a_numbered_bundle(number) for number in range(4)]
    for _ in range(2):
        answers = [run(engine.evaluate(an_evaluation(bundle, "p")))["p"]["answer"] for bundle in bundles]
        assert answers == list(range(4))
    run(engine.close())


@LINUX
def test_a_worker_that_has_seen_too_many_queries_is_replaced(run, monkeypatch):
    """The library keeps every query it saw; nobody notices the change."""
    monkeypatch.setattr(worker_seat, "_QUERIES_HELD", 5)
    before = set(children(os.getpid()))
    engine = OpaLibrary(compile_deadline=60.0, evaluation_deadline=60.0)
    bundle = a_numbered_bundle(7)
    seen = set()
    for number in range(20):
        answer = run(engine.evaluate(an_evaluation(bundle, "p", rules=("answer", f"rule_{number}"))))
        assert answer == {"p": {"answer": 7}}
        seen |= set(children(os.getpid())) - before
    assert len(seen) >= 3
    run(engine.close())


def test_a_worker_launched_for_nothing_is_ended_with_its_engine(run):
    """A command that fails before it asks anything leaves no process behind."""
    first = launch.launch()
    run(OpaLibrary(first=first).close())
    assert first.process.returncode is not None


def test_a_library_that_does_not_start_is_unavailable(run, monkeypatch, tmp_path):
    """With what the worker complained about, instead of starting it for ever."""
    (tmp_path / "opa_bindings").mkdir()
    (tmp_path / "opa_bindings" / "libopabridge.so").write_text("for another machine")
    monkeypatch.setattr(launch, "library_folder", lambda: str(tmp_path))
    engine = OpaLibrary()
    for _ in range(2):
        with pytest.raises(EngineUnavailable, match=r"does not start: OSError: .*libopabridge\.so"):
            run(engine.compile(a_numbered_bundle(1)))
    run(engine.close())


PARENT = """
import asyncio, pathlib
from tests.contract.engines.conftest import ADAPTERS
from tests.contract.engines.samples import a_bundle, an_evaluation
from tests.contract.engines.test_faults import LOOPS

async def main():
    engine = ADAPTERS[{adapter!r}](evaluation_deadline=600.0, compile_deadline=60.0)
    bundle = a_bundle(LOOPS)
    await engine.compile(bundle)
    print("compiled", flush=True)
    await engine.evaluate(an_evaluation(bundle, "loops"))

asyncio.run(main())
"""


@LINUX
@pytest.mark.parametrize("adapter", ["library", "server over a unix socket"])
def test_what_evaluates_ends_with_its_parent(adapter, tmp_path):
    """Even in the middle of a loop, and even if the parent is killed without a word."""
    need("opa")
    code = PARENT.format(adapter=adapter)
    environment = {**os.environ, "TMPDIR": str(tmp_path)}  # a parent killed so cannot remove its files
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=Path(__file__).parents[3], env=environment) as parent:
        assert parent.stdout.readline() == b"compiled\n"
        time.sleep(0.3)
        started = children(parent.pid)
        parent.send_signal(signal.SIGKILL)
    assert started
    give_up = time.monotonic() + 60
    while any(Path(f"/proc/{pid}").exists() and "Z" not in _state(pid) for pid in started):
        assert time.monotonic() < give_up, "still running"
        time.sleep(0.1)


def _state(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


@LINUX
def test_workers_are_started_as_they_are_needed(run, monkeypatch):
    """One for whoever asks one thing at a time; another once what waits is worth it; never more than were allowed."""
    monkeypatch.setattr(worker_pool, "_WORTH_A_WORKER", 0.0)
    before = set(children(os.getpid()))
    engine = OpaLibrary(workers=2, compile_deadline=60.0, evaluation_deadline=60.0, patience=300.0)
    bundle = a_bundle(FINE)

    async def story():
        try:
            for _ in range(3):
                await engine.evaluate(an_evaluation(bundle, "fine"))
            alone = set(children(os.getpid())) - before
            await asyncio.gather(*(engine.evaluate(an_evaluation(bundle, "fine")) for _ in range(300)))
            return len(alone), len(set(children(os.getpid())) - before)
        finally:
            await engine.close()

    assert run(story()) == (1, 2)


@LINUX
def test_another_worker_shares_what_never_fills_a_queue(run, monkeypatch):
    """A few at a time, without a pause: no queue is long then, and yet each evaluation waits for others."""
    monkeypatch.setattr(worker_pool, "_WORTH_A_WORKER", float("inf"))
    for name, value in (("_WORTH_SHARING", 0.0), ("_BEHIND_FOR_LONG", 0.01), ("_FORGIVEN", 0.0), ("_BUSY", float("inf"))):
        monkeypatch.setattr(worker_pool, name, value)
    before = set(children(os.getpid()))
    engine = OpaLibrary(workers=2, compile_deadline=60.0, evaluation_deadline=60.0, patience=300.0)
    bundle = a_bundle(FINE)

    async def keep_asking():
        while len(set(children(os.getpid())) - before) < 2:
            await engine.evaluate(an_evaluation(bundle, "fine"))

    async def story():
        try:
            async with asyncio.timeout(120):
                await asyncio.gather(*(keep_asking() for _ in range(4)))
        finally:
            await engine.close()

    run(story())
