"""How a command's process ends where Temporal's client, whose threads cannot be stopped, is loaded."""

from __future__ import annotations

import subprocess
import sys

import pytest

COMMAND = """
import atexit, sys
{load}
class Torn:
    def __del__(self):
        print("the interpreter was taken down")
torn = Torn()
sys.argv = ["admit", "no-such-command"]
from gateway.cli import main
try:
    main()
finally:
    atexit.register(print, "what is to be done at exit is done")
"""


@pytest.mark.parametrize(
    ("load", "said"),
    [
        ("import temporalio.client", "what is to be done at exit is done\n"),
        ("", "what is to be done at exit is done\nthe interpreter was taken down\n"),
    ],
)
def test_the_interpreter_is_not_taken_down_under_threads_that_go_on(load, said):
    """The exit status and all that was printed are the same; only with the client loaded the process ends before its threads can."""
    ended = subprocess.run([sys.executable, "-c", COMMAND.format(load=load)], capture_output=True, text=True, timeout=300, check=False)
    assert (ended.returncode, ended.stdout) == (2, said), ended.stderr
    assert "no-such-command" in ended.stderr
