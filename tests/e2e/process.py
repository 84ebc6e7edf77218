"""A gateway as users run it: `admit serve` in a process of its own, with a folder for its configuration and database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import httpx
import yaml

from tests.servers.ports import free_port

T = TypeVar("T")

ADMIT = Path(sys.executable).with_name("admit")
PATIENCE = 240.0
"""Seconds anything may take on a busy machine; no test depends on how much of it is used."""
_TRUST = httpx.create_ssl_context()
"""Read once. To read all authorities for each request takes longer than ten requests, and whoever waits asks often."""


def eventually(look: Callable[[], T | None], what: str, *, seconds: float = PATIENCE) -> T:
    """What `look` returns once it is true; fails with `what` was awaited."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(0.05)


class GatewayProcess:
    """`admit serve`, started, killed and started again on one folder."""

    def __init__(self, folder: Path, *, environment: Mapping[str, str] | None = None, **settings: Any) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.token: str | None = None
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[str] | None = None
        self._runs = 0
        (folder / "admit.yaml").write_text(yaml.safe_dump({"public_url": self.url, **settings}))

    def __enter__(self) -> GatewayProcess:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, *, program: Sequence[str] = (str(ADMIT),), environment: Mapping[str, str] | None = None) -> None:
        """Until it is ready. The token it prints at its first start is kept. program: what `serve` is said to."""
        self._runs += 1
        self.log = self.folder / f"serve-{self._runs}.log"
        out = self.folder / f"serve-{self._runs}.out"
        with out.open("w") as stdout, self.log.open("w") as stderr:
            self._process = subprocess.Popen(
                [*program, "serve"],
                cwd=self.folder,
                env={**self._environment, **(environment or {})},
                stdout=stdout,
                stderr=stderr,
                text=True,
            )
        eventually(self._ready, f"the gateway to be ready ({self.log.read_text()[-2000:]})")
        lines = out.read_text().splitlines()
        self.token = next((line for line in lines if line.startswith("admit_")), self.token)

    def _ready(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"admit serve stopped with {self._process.returncode}: {self.log.read_text()[-4000:]}")
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5, verify=_TRUST).status_code == 200
        except httpx.TransportError:
            return False

    @property
    def pid(self) -> int:
        """Its process, while it runs."""
        assert self._process is not None
        return self._process.pid

    @property
    def dead(self) -> bool:
        """Whether it has ended, by whoever's hand."""
        return self._process is None or self._process.poll() is not None

    def kill(self) -> None:
        """As the kernel would: no goodbye."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(PATIENCE)
        self._process = None

    def stop(self) -> None:
        """As an operator would."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self.wait()
        self._process = None

    def wait(self) -> None:
        """Until it has ended by itself, and well."""
        assert self._process is not None
        code = self._process.wait(PATIENCE)
        assert code == 0, f"admit serve ended with {code}: {self.log.read_text()[-4000:]}"

    def log_count(self, text: str) -> int:
        """How many lines of this run's log hold the text."""
        return sum(text in line for line in self.log.read_text().splitlines())

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def get(self, path: str, **options: Any) -> httpx.Response:
        return httpx.get(self.url + path, headers=self._headers(), timeout=PATIENCE, verify=_TRUST, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return httpx.post(self.url + path, headers=self._headers(), timeout=PATIENCE, verify=_TRUST, **options)

    def decisions(self, **filters: Any) -> list[dict[str, Any]]:
        """Newest first."""
        answer = self.get("/v1/decisions", params=filters)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["decisions"]
        return found

    def decided(self, outcome: str, **filters: Any) -> dict[str, Any]:
        """The newest decision, once it has this outcome."""

        def look() -> dict[str, Any] | None:
            found = self.decisions(limit=1, **filters)
            return found[0] if found and found[0]["outcome"] == outcome else None

        return eventually(look, f"the newest decision to be {outcome}; it is {self.decisions(limit=1, **filters)}")


def admit(
    *arguments: str | Path, cwd: Path, environment: Mapping[str, str] | None = None, input: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Any `admit` command, to its end."""
    return subprocess.run(
        [ADMIT, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        input=input,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def write_bundle(folder: Path, files: Mapping[str, str]) -> Path:
    """A bundle folder with these files."""
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return folder
