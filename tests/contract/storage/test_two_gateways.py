"""Several processes on one database, from its first moment on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from gateway.storage import Database
from gateway.storage.migrations import SchemaState, migrate
from gateway.storage.sql import SqlStorage

pytestmark = pytest.mark.anyio
TIMES = 15


def counting(url, name, times=TIMES):
    command = [sys.executable, "-W", "error", "-m", "tests.contract.storage.counting", url, name, str(times)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(process):
    out, complaints = process.communicate(timeout=300)
    assert (process.returncode, complaints) == (0, "")
    return [line.split() for line in out.splitlines()]


async def test_two_processes_share_a_new_database(empty_url):
    """Both migrate it at once; nothing they write is lost; numbers have neither gap nor twin; one delivery is new once."""
    lines = [line for process in [counting(empty_url, "a"), counting(empty_url, "b")] for line in finished(process)]
    assert sorted(int(generation) for _, generation, _ in lines) == list(range(1, 2 * TIMES + 1))
    assert sorted(number for number, _, shared in lines if shared == "True") == sorted(str(n) for n in range(TIMES))
    storage = SqlStorage(Database(empty_url))
    try:
        for id in [f"{name}-{number}" for name in ("a", "b", "shared") for number in range(TIMES)]:
            assert await storage.delivery("work", id) is not None
    finally:
        await storage.close()


@pytest.mark.parametrize("empty_url", ["sqlite"], indirect=True)
async def test_what_was_acknowledged_survives_kill_9(empty_url):
    """Each line was printed after its write had returned, so each is there, and the next process goes on."""
    process = counting(empty_url, "a", times=100_000)
    seen = [process.stdout.readline().split() for _ in range(20)]
    os.kill(process.pid, signal.SIGKILL)
    out, _ = process.communicate(timeout=300)
    seen += [line.split() for line in out.splitlines() if line.count(" ") == 2]
    database = Database(empty_url)
    storage = SqlStorage(database)
    try:
        assert migrate(database) is SchemaState.CURRENT
        for number, _, _ in seen:
            assert await storage.delivery("work", f"a-{number}") is not None
        assert (await storage.generation()).number >= int(seen[-1][1])
    finally:
        await storage.close()
