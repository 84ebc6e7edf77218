"""The `opa` binary: a bundle's files for it, and one question with `opa eval`.

https://www.openpolicyagent.org/docs/cli
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from policies.engines.memory import resident
from policies.errors import EngineCrashed, EngineTimedOut, EngineUnavailable
from policies.model import JsonObject

_WATCH_EVERY = 0.05


class Folder:
    """A bundle's modules and data as files in a folder of their own, readable by nobody else."""

    def __init__(self, modules: Mapping[str, str], data: JsonObject) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="admit-opa-"))
        self.names = [*modules, "data.json"]
        for name, source in modules.items():
            file = self.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(source.encode())
        (self.path / "data.json").write_text(json.dumps(dict(data)))

    def remove(self) -> None:
        """Gone, with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)


async def opa_eval(
    binary: Path, folder: Folder, query: str, *options: str, document: bytes | None = None, deadline: float, memory_limit: int
) -> dict[str, Any]:
    """One `opa eval`: its JSON, with what was printed under `printed`. Raises EngineTimedOut, EngineCrashed."""
    files = [part for name in folder.names for part in ("--data", name)]
    given = ("--stdin-input",) if document is not None else ()
    try:
        process = await asyncio.create_subprocess_exec(
            *(str(binary), "eval", "--format", "json", *files, *given, *options, query),
            cwd=folder.path,
            env=opa_environment(memory_limit),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as problem:
        raise unavailable(binary, problem) from problem
    answering = asyncio.ensure_future(process.communicate(document or b""))
    over = time.monotonic() + deadline
    try:
        while not (await asyncio.wait({answering}, timeout=_WATCH_EVERY))[0]:
            if time.monotonic() > over:
                raise EngineTimedOut(f"evaluating took longer than {deadline:g} s and was stopped")
            if resident(process.pid) > memory_limit:
                raise EngineCrashed(f"evaluating used more than {memory_limit >> 20} MB of memory and was stopped")
        out, complaints = answering.result()
    finally:
        if process.returncode is None:
            process.kill()
        await asyncio.gather(answering, return_exceptions=True)
    try:
        answer: dict[str, Any] = json.loads(out)
    except ValueError:
        raise EngineCrashed(f"`opa eval` ended with {process.returncode}: {complaints.decode(errors='replace')[:2000]}") from None
    return {**answer, "printed": complaints.decode(errors="replace")}


def unavailable(binary: Path, problem: Exception) -> EngineUnavailable:
    """The binary cannot be run."""
    missing = EngineUnavailable(f"OPA's binary {binary} cannot be run: {problem}")
    missing.advice = "install opa 1.0 or later (https://www.openpolicyagent.org/docs#1-download-opa), or use the embedded library"
    return missing


def opa_environment(memory_limit: int) -> dict[str, str]:
    """Nothing of ours reaches OPA, and local time is UTC."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "SYSTEMROOT") if name in os.environ}
    return {**kept, "TZ": "UTC", "GOGC": "400", "GOMEMLIMIT": str(memory_limit * 3 // 4)}
