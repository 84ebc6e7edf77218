"""The schema as it is committed: what is read at run time. The models it is made from take pydantic to load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SCHEMA_FILE = Path(__file__).parent / "input.schema.json"


def schema_text() -> str:
    """The file's text: what authors' editors and `opa check --schema` are given."""
    return SCHEMA_FILE.read_text(encoding="utf-8")


def input_schema() -> dict[str, Any]:
    """The schema of `input` as a policy sees it (JSON Schema draft 2020-12). A fresh value on every call."""
    schema: dict[str, Any] = json.loads(schema_text())
    return schema
