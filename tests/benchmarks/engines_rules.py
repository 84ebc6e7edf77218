"""What the engine room and the raw OPA server are asked: eight of the starters, and a change they admit, small and large.

The server is given the same modules, a module that asks for the rules the engine asks for, and the parameters of all
policies as one object, which spares it putting each policy's own in place.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import yaml

from policies.bundles.model import Bundle
from policies.canonical import canonical, digest
from policies.engines import Evaluation, PolicyQuery
from tests.builders import a_change_document, an_actor

STARTERS = (
    "approvals",
    "change-size",
    "no-drafts",
    "required-checks",
    "required-labels",
    "signed-commits",
    "title-convention",
    "unresolved-threads",
)
RULES = {"change-size": ("deny", "warn")}
"""Rules that count, where there is another than `deny`."""
_FOLDER = Path(__file__).parents[2] / "policies/starters"
_SMALL, _LARGE = 1, 4000


def queries() -> tuple[PolicyQuery, ...]:
    """Each starter with the parameters it comes with."""
    return tuple(_query(name) for name in STARTERS)


def bundle() -> Bundle:
    """All of them as one."""
    modules = _modules()
    name = digest("bundle", canonical(modules))
    return Bundle(name="bench", revision="1", digest=name, policies=(), modules=modules, tests={}, data={}, files={})


def served_modules() -> dict[str, str]:
    """The same for the server: `data.bench.answer` holds every rule's value."""
    rules = ",\n".join(f'\t"{query.package}": {{{_rules(query)}}}' for query in queries())
    return {**_modules(), "main.rego": f"package bench\n\nanswer := {{\n{rules},\n}}\n"}


def inputs() -> dict[str, bytes]:
    """By size. 4,000 files are no small change: one of the starters denies it."""
    documents = (_document(_SMALL), _document(_LARGE))
    return {f"{len(document) / 1000:.{0 if len(document) > 10_000 else 1}f} kB": document for document in documents}


def evaluation(document: bytes) -> Evaluation:
    """As the gateway asks."""
    return Evaluation(bundle=bundle(), queries=queries(), input=document, time=datetime(2026, 1, 1, tzinfo=UTC))


def served_body(document: bytes) -> bytes:
    """As the server is asked."""
    parameters = json.dumps({name: value for query in queries() for name, value in query.parameters.items()})
    return b'{"input":%b,"parameters":%b}}' % (document[:-1], parameters.encode())


def _query(starter: str) -> PolicyQuery:
    (policy,) = yaml.safe_load((_FOLDER / starter / "bundle.yaml").read_text())["policies"]
    return PolicyQuery(package=policy["package"], rules=RULES.get(starter, ("deny",)), parameters=policy.get("parameters", {}))


def _rules(query: PolicyQuery) -> str:
    return ", ".join(f'"{rule}": data.{query.package}.{rule}' for rule in query.rules)


def _modules() -> dict[str, str]:
    files = (file for starter in STARTERS for file in sorted((_FOLDER / starter).glob("*.rego")))
    return {f"{file.parent.name}/{file.name}": file.read_text() for file in files if not file.stem.endswith("_test")}


def _document(files: int) -> bytes:
    ana, ben, head = an_actor(), an_actor("ben", "8"), "a" * 40
    signature = {"name": "ana", "email": "ana@example.com", "actor": ana}
    review = {"user": ben, "state": "approved", "commit_sha": head, "submitted_at": None, "dismissed": False}
    change = a_change_document(
        title="feat(cart): count things",
        labels=["kind/feature"],
        files=[
            {"path": f"src/module_{n % 40}/file_{n}.py", "previous_path": None, "status": "modified", "additions": n % 9, "deletions": 1}
            for n in range(files)
        ],
        commits=[
            {"sha": head, "message": "feat: count", "author": signature, "committer": signature, "verified": True, "parents": ["b" * 40]}
        ],
        reviews=[review],
        checks=[{"name": "ci/test", "state": "completed", "conclusion": "success", "source": None, "sha": head, "url": None}],
        threads=[],
    )
    return json.dumps({"version": 1, "action": "merge", "change": change}, separators=(",", ":")).encode()
