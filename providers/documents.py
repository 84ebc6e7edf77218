"""Read JSON that somebody else wrote: every field typed as it is taken out, or a fault that names it.

Separate because an answer that lacks a field must become a fault, never a default: a missing `draft` is not `false`.
Clients of forges and targets, and parsers of deliveries, turn UnexpectedShape into their own errors.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


class UnexpectedShape(Exception):
    """A document that lacks something, or has it in another type."""


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON object. `where` names it in errors: `GET /repos/a/b/pulls/1`."""

    fields: Mapping[str, Any]
    where: str

    def text(self, name: str) -> str:
        value: str = self._typed(name, str)
        return value

    def text_or_none(self, name: str) -> str | None:
        """None if the field is absent, null or empty."""
        return self.text(name) or None if self.fields.get(name) is not None else None

    def number(self, name: str) -> int:
        value: int = self._typed(name, int)
        if isinstance(value, bool):
            raise self._wrong(name, int, value)
        return value

    def number_or_none(self, name: str) -> int | None:
        """None if the field is absent or null."""
        return self.number(name) if self.fields.get(name) is not None else None

    def flag(self, name: str) -> bool:
        value: bool = self._typed(name, bool)
        return value

    def time(self, name: str) -> datetime:
        """RFC 3339, aware."""
        value = self.text(name)
        try:
            moment = datetime.fromisoformat(value)
        except ValueError as problem:
            raise UnexpectedShape(f"{self.where}: expected a time in '{name}', found {value[:40]!r}") from problem
        if moment.tzinfo is None:
            raise UnexpectedShape(f"{self.where}: expected a time with a zone in '{name}', found {value[:40]!r}")
        return moment

    def document(self, name: str) -> Document:
        return Document(self._typed(name, dict), f"{self.where} {name}")

    def document_or_none(self, name: str) -> Document | None:
        """None if the field is absent or null."""
        return self.document(name) if self.fields.get(name) is not None else None

    def documents(self, name: str) -> Sequence[Document]:
        """A list of objects; null is none, as Go writes an empty list in an object."""
        if name not in self.fields:
            self._missing(name)
        value = self.fields[name]
        return () if value is None else documents(value, f"{self.where} {name}")

    def texts(self, name: str) -> Sequence[str]:
        """A list of strings."""
        value: list[Any] = self._typed(name, list)
        for item in value:
            if not isinstance(item, str):
                raise self._wrong(name, str, item)
        return value

    def _typed(self, name: str, kind: type[Any]) -> Any:
        if name not in self.fields:
            self._missing(name)
        value = self.fields[name]
        if not isinstance(value, kind):
            raise self._wrong(name, kind, value)
        return value

    def _missing(self, name: str) -> Any:
        raise UnexpectedShape(f"{self.where}: expected a field '{name}', found none")

    def _wrong(self, name: str, kind: type, value: object) -> UnexpectedShape:
        return UnexpectedShape(f"{self.where}: expected {kind.__name__} in '{name}', found {type(value).__name__}")


def document(value: object, where: str) -> Document:
    """A parsed JSON value that has to be an object."""
    if not isinstance(value, dict):
        raise UnexpectedShape(f"{where}: expected an object, found {type(value).__name__}")
    return Document(value, where)


def documents(value: object, where: str) -> Sequence[Document]:
    """A parsed JSON value that has to be a list of objects."""
    if not isinstance(value, list):
        raise UnexpectedShape(f"{where}: expected a list, found {type(value).__name__}")
    return [document(item, where) for item in value]


def parsed(body: bytes, where: str) -> Any:
    """JSON from bytes. Raises UnexpectedShape for anything that is not whole, strict JSON in UTF-8."""
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as problem:
        raise UnexpectedShape(f"{where}: expected JSON, found something else ({len(body)} bytes)") from problem


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
