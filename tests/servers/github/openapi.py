"""GitHub's published API description (npm `@octokit/openapi`): which operations there are, and whether a message fits one.

`violations` tells what is wrong with a request or an answer. `filled` adds to a document all that the description demands
of it and its author left out, so that a server of a few facts gives whole answers, which are then checked like any other.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jsonschema_rs

from tests.servers.need import need

Json = Any


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path template."""

    method: str
    template: str


class Description:
    """One edition of GitHub's API: `api.github.com`, or a GitHub Enterprise Server's."""

    def __init__(self, edition: str) -> None:
        file = need("github-openapi").with_name(f"{edition}.json")
        self._document = json.loads(file.read_bytes())
        self._paths: dict[str, Mapping[str, Json]] = self._document["paths"]
        self._validators: dict[str, jsonschema_rs.Draft4Validator] = {}

    def has(self, operation: Operation) -> bool:
        return operation.method.lower() in self._paths.get(operation.template, {})

    def request_violations(self, operation: Operation, query: Mapping[str, str], body: Json) -> Iterator[str]:
        """What is wrong with a request: parameters nobody knows, a body that does not fit."""
        described = self._paths[operation.template][operation.method.lower()]
        known = [self._resolved(parameter) for parameter in described.get("parameters", [])]
        for name in query.keys() - {parameter["name"] for parameter in known if parameter["in"] == "query"}:
            yield f"{operation}: no query parameter is named '{name}'"
        if body is None and described.get("requestBody", {}).get("required"):
            yield f"{operation}: expected a body"
        if body is not None:
            schema = self._resolved(described["requestBody"])["content"]["application/json"]["schema"]
            yield from self._fits(f"request of {operation}", schema, body)

    def answer_violations(self, operation: Operation, status: int, body: Json) -> Iterator[str]:
        """What is wrong with an answer."""
        described = self._paths[operation.template][operation.method.lower()]["responses"]
        if str(status) not in described:
            if status not in (304, 401, 403, 404, 422):  # everybody may be told these, listed or not
                yield f"{operation}: {status} is not an answer it gives"
            return
        content = self._resolved(described[str(status)]).get("content", {})
        if "application/json" in content:
            yield from self._fits(f"answer {status} of {operation}", content["application/json"]["schema"], body)
        elif body is not None:
            yield f"{operation}: {status} has no body"

    def filled(self, operation: Operation, status: int, body: Json) -> Json:
        """The answer, with everything that the description demands and it lacks."""
        described = self._paths[operation.template][operation.method.lower()]["responses"].get(str(status))
        content = self._resolved(described).get("content", {}) if described else {}
        if "application/json" not in content:
            return body
        return self._filled(content["application/json"]["schema"], body)

    def _filled(self, schema: Json, value: Json) -> Json:
        schema = self._resolved(schema)
        if value is None:
            return value
        for part in (*schema.get("allOf", []), *self._meant(schema.get("oneOf"), value), *self._meant(schema.get("anyOf"), value)):
            value = self._filled(part, value)
        if isinstance(value, list):
            return [self._filled(schema["items"], item) for item in value] if "items" in schema else value
        if not isinstance(value, dict):
            return value
        properties = schema.get("properties", {})
        found = {name: self._filled(properties[name], item) if name in properties else item for name, item in value.items()}
        for name in schema.get("required", []):
            if name not in found:
                found[name] = self._least(properties.get(name, {}))
        return found

    def _meant(self, options: list[Json] | None, value: Json) -> list[Json]:
        """Of several shapes the least one that has all the fields a value has; the first where none does."""
        if not options or not isinstance(value, dict):
            return (options or [])[:1]
        known = [(set(self._resolved(option).get("properties", {})), option) for option in options]
        fitting = [(len(names), index) for index, (names, _) in enumerate(known) if names >= set(value)]
        return [known[min(fitting)[1] if fitting else 0][1]]

    def _least(self, schema: Json) -> Json:
        """The smallest value that fits."""
        schema = self._resolved(schema)
        if schema.get("nullable"):
            return None
        if "enum" in schema:
            return schema["enum"][0]
        for part in (*_first(schema.get("allOf")), *_first(schema.get("oneOf")), *_first(schema.get("anyOf"))):
            return self._least(part)
        match schema.get("type"):
            case "string":
                return {"date-time": "2026-01-01T00:00:00Z", "uri": "https://github.test/"}.get(schema.get("format", ""), "")
            case "integer" | "number":
                return schema.get("minimum", 0)
            case "boolean":
                return False
            case "array":
                return []
        return {name: self._least(schema.get("properties", {}).get(name, {})) for name in schema.get("required", [])}

    def _fits(self, where: str, schema: Json, value: Json) -> Iterator[str]:
        if where not in self._validators:
            self._validators[where] = jsonschema_rs.Draft4Validator(self._closed(schema))
        for error in self._validators[where].iter_errors(value):
            if (list(error.instance_path)[-2:], error.instance) == (["head", "repo"], None):
                continue  # a deleted fork: GitHub really says null here, whatever its description demands
            yield f"{where}: {'/'.join(str(part) for part in error.instance_path)}: {error.message[:300]}"

    def _closed(self, schema: Json) -> Json:
        """The schema with every component it leads to, and OpenAPI's `nullable` in JSON Schema's words."""
        needed: dict[str, Json] = {}
        waiting = list(_references(schema))
        while waiting:
            name = waiting.pop()
            if name not in needed:
                needed[name] = self._document["components"]["schemas"][name]
                waiting.extend(_references(needed[name]))
        return {"allOf": [_plain(schema)], "components": {"schemas": {name: _plain(one) for name, one in needed.items()}}}

    def _resolved(self, part: Json) -> Json:
        while "$ref" in part:
            found: Json = self._document
            for step in part["$ref"].removeprefix("#/").split("/"):
                found = found[step]
            part = found
        return part


@functools.cache
def description(edition: str = "api.github.com") -> Description:
    """Read once for all tests of the session."""
    return Description(edition)


def _references(part: Json) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"].rpartition("/")[2]
        for value in part.values():
            yield from _references(value)
    elif isinstance(part, list):
        for value in part:
            yield from _references(value)


_NOT_SCHEMA = frozenset({"example", "examples", "default", "description", "title", "nullable", "format"})


def _plain(part: Json) -> Json:
    if isinstance(part, list):
        return [_plain(value) for value in part]
    if not isinstance(part, dict):
        return part
    found = {name: _plain(value) for name, value in part.items() if name not in _NOT_SCHEMA or isinstance(value, dict)}
    if part.get("nullable") is True:
        return {"anyOf": [found, {"type": "null"}]}
    return found


def _first(parts: list[Json] | None) -> list[Json]:
    return parts[:1] if parts else []


def template_pattern(template: str) -> re.Pattern[str]:
    """A path template as a pattern; the last parameter of some paths holds slashes."""
    parts = re.split(r"(\{[a-z_]+\})", template)
    deep = {"ref", "branch"}
    found = [f"(?P<{p[1:-1]}>{'.+' if p[1:-1] in deep else '[^/]+'})" if p.startswith("{") else re.escape(p) for p in parts]
    return re.compile("".join(found))
