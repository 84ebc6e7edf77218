"""Whether a process of this very machine is gone: asked of the kernel, so that a restart need not wait out a lease.

Only where that is certain: on Linux, for the same boot and the same process namespace, and for the process that started
at that moment (numbers are used again). Everything else is left to `liveness`.
"""

from __future__ import annotations

import os
from pathlib import Path

_PROC = Path("/proc")


def this_machine() -> str | None:
    """The boot and process namespace we are in; None where there is no telling."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink(_PROC / 'self/ns/pid')}"
    except OSError:
        return None


def this_process() -> str | None:
    """Our number and when we started; None where there is no telling."""
    started = _started(os.getpid())
    return None if started is None else f"{os.getpid()} {started}"


def is_gone(machine: str | None, process: str | None) -> bool:
    """True if this was a process of this machine and certainly is not any more."""
    if machine is None or process is None or machine != this_machine():
        return False
    number, _, started = process.partition(" ")
    return number.isdecimal() and _started(int(number)) != started


def _started(number: int) -> str | None:
    """Clock ticks after boot (proc_pid_stat(5), field 22); None if there is no such process, or only its remains."""
    try:
        fields = (_PROC / str(number) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in {"Z", "X"} else fields[19]
