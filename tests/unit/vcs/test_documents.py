"""Taking fields out of somebody else's JSON: each by its type, or a fault that names it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from providers.vcs.documents import Document, UnexpectedShape, documents, parsed


def a_document(**fields: Any) -> Document:
    return Document(fields, "GET /thing")


@pytest.mark.parametrize(
    ("take", "value"),
    [
        (lambda d: d.text("x"), 1),
        (lambda d: d.text("x"), None),
        (lambda d: d.number("x"), "1"),
        (lambda d: d.number("x"), True),
        (lambda d: d.number("x"), 1.5),
        (lambda d: d.number_or_none("x"), "1"),
        (lambda d: d.flag("x"), 1),
        (lambda d: d.flag("x"), "true"),
        (lambda d: d.flag("x"), None),
        (lambda d: d.time("x"), "2026-01-02T03:04:05"),
        (lambda d: d.time("x"), "soon"),
        (lambda d: d.document("x"), []),
        (lambda d: d.document_or_none("x"), "x"),
        (lambda d: d.documents("x"), {}),
        (lambda d: d.documents("x"), [1]),
        (lambda d: d.text_or_none("x"), 1),
    ],
)
def test_a_field_of_another_type_is_a_fault_that_names_it(take: Callable[[Document], object], value: object) -> None:
    """What was read, and where."""
    with pytest.raises(UnexpectedShape, match=r"GET /thing.*x"):
        take(a_document(x=value))


@pytest.mark.parametrize("name", ["text", "number", "flag", "time", "document", "documents"])
def test_a_missing_field_is_a_fault(name: str) -> None:
    """A `draft` that is not there is not `false`."""
    with pytest.raises(UnexpectedShape, match="'x', found none"):
        getattr(a_document(), name)("x")


def test_what_may_be_absent_is_none() -> None:
    """Absent, null and, for text, empty."""
    document = a_document(null=None, empty="", zero=0)
    assert [document.text_or_none(name) for name in ("absent", "null", "empty")] == [None, None, None]
    assert [document.number_or_none(name) for name in ("absent", "null", "zero")] == [None, None, 0]
    assert [document.document_or_none(name) for name in ("absent", "null")] == [None, None]
    assert document.documents("null") == ()


def test_times_have_zones() -> None:
    """Any zone; the moment counts."""
    assert a_document(x="2026-01-02T03:04:05+02:00").time("x") == datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize("body", [b"", b"{", b"<html>", b"NaN", b"[Infinity]", b'"\xff"', b"[" * 100_000])
def test_what_is_not_json_is_a_fault(body: bytes) -> None:
    """Strict, and never a crash."""
    with pytest.raises(UnexpectedShape):
        parsed(body, "GET /thing")


def test_null_is_no_list() -> None:
    """A list that is not one may be a proxy's doing."""
    with pytest.raises(UnexpectedShape):
        documents(None, "GET /things")
