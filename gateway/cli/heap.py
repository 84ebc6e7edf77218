"""One heap for all threads of the process, on glibc, which would give each thread one of its own.

Heaps of their own spare threads that allocate all the time from waiting for each other. The gateway's threads read a
database and wait; what they fetch is let go of by the loop's thread, so that each thread's heap keeps growing, nearly empty.
"""

from __future__ import annotations

import os

_CHOSEN = "MALLOC_ARENA_MAX"
_M_ARENA_MAX = -8  # https://man7.org/linux/man-pages/man3/mallopt.3.html


def share_one_heap() -> bool:
    """Whether every thread that starts from now on allocates where the others do.

    Nothing is changed where MALLOC_ARENA_MAX says what is wanted, or where the C library knows no such choice.
    """
    if _CHOSEN in os.environ:
        return False
    import ctypes

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library: musl's, or a system that is not Unix
        return False
    return bool(mallopt(_M_ARENA_MAX, 1))
