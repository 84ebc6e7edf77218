"""One worker as its parent sees it: spoken to without blocking, watched, killed.

Separate from the pool, which decides what runs where: this and `launch` are the only modules that
know about processes and sockets.
"""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable

from policies.engines.frames import BOARD, frames
from policies.engines.launch import Launched
from policies.loop import aside, running_loop

_RECEIVE = 1 << 16


class WorkerProcess:
    """A running worker. Calls back with every frame it answers, and once when it has died."""

    def __init__(
        self,
        launched: Launched,
        *,
        on_frame: Callable[[WorkerProcess, int, int, bytes], None],
        on_death: Callable[[WorkerProcess], None],
    ) -> None:
        self._on_frame, self._on_death = on_frame, on_death
        self._loop = running_loop()
        self._incoming = bytearray()
        self._outgoing: deque[memoryview] = deque()
        self._blocked = False
        self._alive = True
        self.last = (0, 0)
        self._process, self._channel = launched.process, launched.channel
        self._board, self._complaints = launched.board, launched.complaints
        self._channel.setblocking(False)
        self._loop.add_reader(self._channel, self._read)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def at(self) -> tuple[int, int]:
        """The job it is at and `time.monotonic_ns()` of its start; job 0 = idle."""
        job, started = BOARD.unpack_from(self._board)
        return job, started

    def send(self, data: bytes) -> None:
        """Queue a frame; all that is queued in one turn of the loop leaves in one write."""
        if not self._outgoing:
            self._loop.call_soon(self.flush)
        self._outgoing.append(memoryview(data))

    def kill(self) -> None:
        """At once, and for certain; the death is reported as any other."""
        if self._alive:
            self._process.send_signal(signal.SIGKILL)

    def complaint(self) -> str:
        """The line of what it wrote to stderr that says most, and how it ended. Go says it first, Python last."""
        self._complaints.seek(0)
        lines = [line for line in self._complaints.read(1 << 16).decode(errors="replace").splitlines() if line.strip()]
        code = self._process.returncode
        ended = f"killed by signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        if not lines:
            return ended
        return f"{lines[-1] if lines[0].startswith('Traceback') else lines[0]} ({ended})"

    async def close(self) -> None:
        """End it: it holds nothing that a kinder end would save, and Go takes several milliseconds to go by itself."""
        if self._alive:
            self._dispose()
        self._process.kill()
        await aside(self._process.wait)
        self._complaints.close()

    def flush(self) -> None:
        """Write what is queued now, as far as the socket takes it."""
        if not self._alive or self._blocked or not self._outgoing:
            return
        waiting = self._outgoing[0] if len(self._outgoing) == 1 else memoryview(b"".join(self._outgoing))
        self._outgoing.clear()
        try:
            sent = self._channel.send(waiting)
        except BlockingIOError:
            sent = 0
        except OSError:  # it has died; the reader hears of it
            return
        if sent < len(waiting):
            self._outgoing.append(waiting[sent:])
            self._blocked = True
            self._loop.add_writer(self._channel, self._writable)

    def _writable(self) -> None:
        self._loop.remove_writer(self._channel)
        self._blocked = False
        self.flush()

    def _read(self) -> None:
        try:
            chunk = self._channel.recv(_RECEIVE)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if not chunk:
            self._died()
            return
        self._incoming += chunk
        for kind, job, body in list(frames(self._incoming)):
            self._on_frame(self, kind, job, body)

    def _died(self) -> None:
        self._process.kill()  # its end of the socket is closed: whatever is left of it is of no use
        self._dispose()
        self._process.wait()
        self._on_death(self)

    def _dispose(self) -> None:
        self._alive = False
        self.last = self.at
        self._loop.remove_reader(self._channel)
        self._loop.remove_writer(self._channel)
        self._channel.close()
        self._board.close()
