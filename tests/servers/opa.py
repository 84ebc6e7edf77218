"""OPA's own command as the reference the engines are compared with, and its server as what they are measured against."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx


def opa_eval(binary: Path, modules: Mapping[str, str], data: object, document: object, query: str) -> dict[str, Any]:
    """`opa eval --strict-builtin-errors`: `{"result": …}` or `{"errors": …}`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_bundle(folder, modules, data)
        (folder / "document").write_bytes(json.dumps(document, ensure_ascii=False).encode())
        command = [str(binary), "eval", "--format", "json", "--strict-builtin-errors", "--data", "data.json", "--input", "document"]
        for path in modules:
            command += ["--data", path]
        done = subprocess.run([*command, query], cwd=folder, capture_output=True, check=False, timeout=300)
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise AssertionError(f"opa eval ended with {done.returncode}: {done.stderr.decode()}") from None


def write_bundle(folder: Path, modules: Mapping[str, str], data: object) -> None:
    """The files `opa` loads."""
    for path, source in modules.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(source.encode())
    (folder / "data.json").write_text(json.dumps(data))


@contextlib.contextmanager
def opa_server(binary: Path, modules: Mapping[str, str], data: object, environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """A raw OPA server with a bundle, on a unix socket, whose path is yielded."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_bundle(folder, modules, data)
        address = str(folder / "opa.sock")
        command = [str(binary), "run", "--server", "--addr", f"unix://{address}", "--skip-version-check", "--log-level", "error"]
        process = subprocess.Popen([*command, *modules, "data.json"], cwd=folder, env=dict(environment or {}), stderr=subprocess.DEVNULL)
        try:
            _wait_until_up(address, process)
            yield address
        finally:
            process.kill()
            process.wait()


def _wait_until_up(address: str, process: subprocess.Popen[bytes]) -> None:
    give_up = time.monotonic() + 30
    with httpx.Client(transport=httpx.HTTPTransport(uds=address), base_url="http://opa") as client:
        while time.monotonic() < give_up and process.poll() is None:
            with contextlib.suppress(httpx.TransportError):
                if client.get("/health").is_success:
                    return
            time.sleep(0.02)
    raise AssertionError("opa run --server did not come up")
