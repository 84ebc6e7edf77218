"""Asks the `opa` binary, where there is one, whether it finds a name that leads nowhere and that we followed astray.

Our own check finds more than OPA's (a test compares them), so this is a net below the net: it can only refuse. Taken are
references into the input alone; OPA's other complaints under a schema include wrong ones (`== null` on what may be null).
"""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from policies.engines.reserved import ADMIT_MODULE, ADMIT_PATH
from policies.errors import Problem
from policies.schema import schema_text

_SCHEMA = "input.schema"
_SECONDS = 30.0
_LOST = re.compile(r"undefined ref: (input\b.*)")


async def lost_by_opa(modules: Mapping[str, str], opa: Path) -> tuple[Problem, ...]:
    """References into the input that `opa check --schema` calls undefined. Nothing where it gives no answer in time."""
    with tempfile.TemporaryDirectory(prefix="admit-") as folder:
        await asyncio.to_thread(_write, Path(folder), modules)
        arguments = ("check", "--max-errors", "1000", "--format", "json", "--schema", _SCHEMA, ".")
        nothing, pipe = asyncio.subprocess.DEVNULL, asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(opa, *arguments, cwd=folder, stdin=nothing, stdout=nothing, stderr=pipe)
        except OSError:
            return ()
        try:
            _, answer = await asyncio.wait_for(process.communicate(), _SECONDS)
        except TimeoutError:
            return ()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    return tuple(_problems(answer))


def _write(folder: Path, modules: Mapping[str, str]) -> None:
    for path, source in {**modules, ADMIT_PATH: ADMIT_MODULE, _SCHEMA: schema_text()}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(source, encoding="utf-8")


def _problems(answer: bytes) -> Iterator[Problem]:
    try:
        errors: list[Any] = json.loads(answer)["errors"]
    except (ValueError, KeyError, TypeError):
        return
    for error in errors:
        found = _LOST.match(str(error.get("message")))
        if found is not None and "location" in error:
            path = str(error["location"]["file"]).removeprefix("./")
            message = f"{found.group(1)}: opa check --schema finds no such name in the input"
            yield Problem(path=path, line=int(error["location"]["row"]), message=message, advice="look it up in input.schema.json")
