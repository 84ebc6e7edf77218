"""Builders: bundles, evaluations, and the one input document all idioms look at."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from policies.bundles.model import Bundle
from policies.canonical import canonical, digest
from policies.engines import Evaluation, PolicyQuery

NOON = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
RULES = ("answer", "other", "deny", "warn")


def a_bundle(modules: dict[str, str] | str, *, tests: dict[str, str] | None = None, data: dict | None = None, name: str = "acme") -> Bundle:
    """A bundle of these modules (one text = the file policy.rego), unchecked, under the digest of what is in it."""
    files = {"policy.rego": modules} if isinstance(modules, str) else modules
    content = canonical([name, files, tests or {}, data or {}])
    return Bundle(
        name=name,
        revision="1",
        digest=digest("bundle", content),
        policies=(),
        modules=files,
        tests=tests or {},
        data=data or {},
        files={},
    )


def an_evaluation(
    bundle: Bundle, *packages: str, document: object = None, rules: Iterable[str] = RULES, parameters=None, **more
) -> Evaluation:
    """Ask the usual rules of these packages; each package's parameters are those given."""
    return Evaluation(
        bundle=bundle,
        queries=tuple(PolicyQuery(package=package, rules=tuple(rules), parameters=parameters or {}) for package in packages),
        input=json.dumps({} if document is None else document, ensure_ascii=False).encode(),
        time=more.pop("time", NOON),
        **more,
    )


def idioms() -> dict[str, str]:
    """Name → the body of its module, from idioms.txt."""
    text = (Path(__file__).parent / "idioms.txt").read_text(encoding="utf-8")
    return dict(block.split("\n", 1) for block in text.split("### ")[1:])


IDIOM_DATA = {"teams": {"platform": ["ana", "bob"], "cloud": ["ana"]}, "limits": {"max.files": 10}}
SHARED_MODULE = 'package shared.deep.nested\n\nvalue := {"from": "another file"}\n'


def a_document() -> dict:
    """A change as policies see it, with awkward values beside it."""
    ana, bob, bot = ({"id": str(n), "login": login, "kind": kind, "ref": f"user:work/{n}"} for n, login, kind in _PEOPLE)
    sha = "4f" * 20
    return {
        "version": 1,
        "action": "merge",
        "time": "2026-01-02T03:04:05.678901Z",
        "subject": ana,
        "parameters": {"minimum": 2},
        "relations": {"repository:work/12": {"owner": {"user:work/1": True, "user:work/2": False}}},
        "change": {
            "connection": "work",
            "repository": {"id": "12", "name": "acme/shop", "ref": "repository:work/12"},
            "number": 17,
            "title": "feat(cart): count Things SHOP-12",
            "body": "closes SHOP-12 and SHOP-340",
            "author": ana,
            "labels": ["bug", "needs-review"],
            "draft": False,
            "state": "open",
            "mergeable": None,
            "head": {"ref": "topic", "sha": sha, "fork": False},
            "base": {"ref": "main", "sha": "ab" * 20, "protected": True},
            "created_at": "2025-12-30T10:00:00Z",
            "files": [
                {"path": "infra/main.tf", "status": "modified", "additions": 12, "deletions": 3},
                {"path": "src/app.py", "status": "added", "additions": 340, "deletions": 0},
                {"path": "docs/read me.md", "status": "added", "additions": 1, "deletions": 0},
            ],
            "commits": [
                {"sha": sha, "message": "feat: x", "author": ana, "verified": True},
                {"sha": "cd" * 20, "message": "fix", "author": bob, "verified": False},
            ],
            "reviews": [
                {"user": bob, "state": "changes_requested", "submitted_at": "2026-01-01T08:00:00Z"},
                {"user": bob, "state": "approved", "submitted_at": "2026-01-01T09:00:00.5Z"},
                {"user": ana, "state": "approved", "submitted_at": "2026-01-01T10:00:00+01:00"},
                {"user": bot, "state": "commented", "submitted_at": "2026-01-01T11:00:00Z"},
            ],
            "checks": [
                {"name": "build", "state": "completed", "conclusion": "success", "source": "ci"},
                {"name": "test", "state": "completed", "conclusion": "failure", "source": "ci"},
            ],
        },
        "groups": {"platform": ["ana", "bob"], "cloud": ["ana"], "nobody": []},
        "numbers": {"huge": 123456789012345678901234567890, "small": 1e-7, "one": 1, "exact": 9007199254740993, "float": 0.1},
        "text": {
            "unicode": "Größe ñ 漢字",
            "emoji": "👩‍👩‍👧🔑",
            "rtl": "שלום",
            "schlüssel-🔑": "value",
            "nul": "allow\x00deny",
            "control": "a\tb\r\n\x01\x7f\u2028",
            "long": "x" * 65536,
        },
        "empty": {"list": [], "object": {}, "text": "", "nothing": None},
    }


_PEOPLE = ((1, "ana", "person"), (2, "bob", "person"), (3, "renovate", "bot"))
