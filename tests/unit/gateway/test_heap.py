"""Where the threads of a gateway allocate."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

_FOUR_THREADS = """
import ctypes, os, tempfile, threading
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
together = threading.Barrier(4)
def allocate():
    together.wait()
    libc.malloc(1_000)
    together.wait()
threads = [threading.Thread(target=allocate) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
with tempfile.NamedTemporaryFile() as file:
    stream = ctypes.c_void_p(libc.fopen(file.name.encode(), b"w"))
    libc.malloc_info(0, stream)
    libc.fclose(stream)
    print(file.read().count(b"<heap"))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no heaps to choose between")
@pytest.mark.parametrize(
    ("first", "environment", "shared"),
    [
        pytest.param("pass", {}, False, id="as glibc does by itself"),
        pytest.param("share_one_heap()", {}, True, id="when told to share"),
        pytest.param("share_one_heap()", {"MALLOC_ARENA_MAX": "64"}, False, id="unless the environment has chosen"),
    ],
)
def test_threads_share_a_heap_when_told_so(first: str, environment: dict[str, str], shared: bool) -> None:
    """The choice reaches threads that start later, and an operator's own choice goes before it."""
    program = f"from gateway.cli.heap import share_one_heap\n{first}\n{_FOUR_THREADS}"
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=120, check=True)
    assert (int(ran.stdout) == 1) is shared, ran.stdout
