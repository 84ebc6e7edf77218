"""METADATA comments: what authors say about a package, and where they bring schemas of their own.

Specified at https://www.openpolicyagent.org/docs/policy-language#metadata
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import yaml

from policies.bundles.syntax.tree import Module
from policies.values import value


@value
class Metadata:
    """One METADATA block. `row` is its first line, `end` its last; `content` is None when it is not YAML with keys."""

    row: int
    end: int
    content: dict[str, Any] | None

    def text(self, key: str) -> str | None:
        value = (self.content or {}).get(key)
        return value if isinstance(value, str) else None


def metadata_of(module: Module) -> tuple[Metadata, ...]:
    """All METADATA blocks of a module, in order."""
    return tuple(Metadata(row=rows[0], end=rows[-1], content=_content(lines)) for rows, lines in _blocks(module))


def _blocks(module: Module) -> Iterator[tuple[list[int], list[str]]]:
    rows: list[int] = []
    lines: list[str] = []
    for comment in module.tree.get("comments") or ():
        text = base64.b64decode(comment["Text"]).decode("utf-8", errors="replace")
        row = int(comment["Location"]["row"])
        begins = text.strip() == "METADATA"
        if rows and (begins or row != rows[-1] + 1):
            yield rows, lines
            rows, lines = [], []
        if begins or rows:
            rows.append(row)
            lines.append("" if begins else text.removeprefix(" "))
    if rows:
        yield rows, lines


def _content(lines: list[str]) -> dict[str, Any] | None:
    try:
        content = yaml.safe_load("\n".join(lines))
    except (yaml.YAMLError, ValueError):
        return None
    return content if isinstance(content, dict) else None
