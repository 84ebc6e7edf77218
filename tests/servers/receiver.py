"""A loopback receiver of webhooks: keeps each request's headers and raw body, in the order they came.

with receiving() as receiver:
    project.hook(receiver.url, secret="s")
    …
    headers, body = receiver.wait(lambda request: request.headers["x-gitea-event-type"] == "status")
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, slots=True)
class Received:
    """One request; header names in lower case."""

    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Receiver:
    """`answer` is the status code every request gets."""

    url: str = ""
    answer: int = 202
    requests: list[Received] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def wait(self, wanted: Callable[[Received], bool], *, seconds: float = 240) -> Received:
        """The first request that is wanted and was not taken before."""
        until = time.monotonic() + seconds
        with self.changed:
            while True:
                for position, request in enumerate(self.requests):
                    if wanted(request):
                        del self.requests[position]
                        return request
                left = until - time.monotonic()
                kinds = [request.headers.get("x-gitea-event-type") for request in self.requests]
                assert left > 0, f"no such delivery within {seconds} s, only {kinds}"
                self.changed.wait(timeout=left)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on a free port until the block ends."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            with receiver.changed:
                receiver.requests.append(Received({name.lower(): value for name, value in self.headers.items()}, body))
                receiver.changed.notify_all()
            self.send_response(receiver.answer)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_port}/"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
