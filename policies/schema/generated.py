"""The JSON Schema of the input, from the models, in the form that `opa check --schema` understands whole.

OPA's type checker loses everything behind `anyOf: [X, null]`, but reads `type: [X, "null"]` (tried with OPA
1.20.2), so nullable fields are written the second way; `$ref` cannot carry a `type`, so a nullable
object stands in place. `python -m policies.schema` writes the committed file.
"""

from __future__ import annotations

import json
from typing import Any

from policies.schema.models import InputDocument

_DESCRIPTION = "What a policy reads as `input`: one of `change` and `workflow` is there; null means: this forge cannot say."
_OPTIONAL_AT_THE_TOP = ("change", "workflow", "approvals", "code_owners")


def generated_schema() -> dict[str, Any]:
    """The schema of `input` as a policy sees it (JSON Schema draft 2020-12), from the models."""
    raw = InputDocument.model_json_schema()
    definitions = raw.pop("$defs")
    definitions.pop("JsonValue", None)
    for name in _OPTIONAL_AT_THE_TOP:
        optional = raw["properties"][name]
        raw["properties"][name] = {**optional["anyOf"][0], **_described(optional)}
    schema: dict[str, Any] = _rewritten(raw, definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "admittance input, version 1",
        "description": _DESCRIPTION,
        **{key: value for key, value in schema.items() if key not in ("title", "description")},
        "$defs": {name: _rewritten(body, definitions) for name, body in sorted(definitions.items())},
    }


def _rewritten(node: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_rewritten(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if node.get("$ref") == "#/$defs/JsonValue":
        return _described(node)
    if "anyOf" in node:
        return {**_nullable(_rewritten(node["anyOf"][0], definitions), definitions), **_described(node)}
    kept = {key: value for key, value in node.items() if key not in ("title", "default") or not isinstance(value, (str, type(None)))}
    return {key: _rewritten(value, definitions) for key, value in kept.items()}


def _described(node: dict[str, Any]) -> dict[str, Any]:
    return {"description": node["description"]} if isinstance(node.get("description"), str) else {}


def _nullable(node: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in node:
        node = _rewritten(definitions[node["$ref"].rpartition("/")[2]], definitions)
    if "enum" in node:
        node = {**node, "enum": [*node["enum"], None]}
    return {**node, "type": [node["type"], "null"]}


def generated_text() -> str:
    """What the committed file has to say."""
    return json.dumps(generated_schema(), indent=2) + "\n"
