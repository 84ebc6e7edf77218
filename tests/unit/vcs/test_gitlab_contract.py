"""The tests' GitLab is held to GitLab's own client: what that client does not know is found. (Its OpenAPI description is in no
package registry, so the client's types and options stand for it.)"""

from __future__ import annotations

from typing import Any

import pytest

from tests.servers import gitlab_routes
from tests.servers.gitlab import ROUTES
from tests.servers.gitlab_client import TYPES, UNHELD, Contract, contract
from tests.servers.need import need


@pytest.fixture
def known() -> Contract:
    need("gitlab-client")
    found = contract()
    assert found is not None
    return found


def test_every_endpoint_is_held_to_something(known: Contract) -> None:
    """Each is in the table, by a type and options the client has; but for those it leaves untyped."""
    assert gitlab_routes
    names = {f"{method} {path}" for method, _, path, _ in ROUTES}
    assert names == set(TYPES) | UNHELD
    assert all(known.fields(name) for pair in TYPES.values() for name in pair if name)


MERGE_REQUEST = "GET /projects/:id/merge_requests/:iid"


@pytest.mark.parametrize(
    ("route", "query", "body", "answer", "found"),
    [
        (MERGE_REQUEST, {}, {}, {"iid": 1, "sha": "a", "author": {"id": 1}, "created_at": "2026-01-01T00:00:00Z"}, []),
        (MERGE_REQUEST, {}, {}, {"iid": "1"}, ["iid: expected int64"]),
        (MERGE_REQUEST, {}, {}, {"draft": 1}, ["draft: expected bool"]),
        (MERGE_REQUEST, {}, {}, {"head": "a"}, [".head, which MergeRequest does not have"]),
        (MERGE_REQUEST, {}, {}, {"author": {"login": "ana"}}, [".author.login, which BasicUser does not have"]),
        (MERGE_REQUEST, {"expand": "all"}, {}, {}, ["is sent expand"]),
        ("POST /projects/:id/statuses/:sha", {}, {"state": "pending", "name": "admit/main", "pipeline_id": 1}, None, []),
        ("POST /projects/:id/statuses/:sha", {}, {"state": "pending", "context_name": "x"}, None, ["is sent context_name"]),
        ("POST /projects/:id/statuses/:sha", {}, {"pipeline_id": "1"}, None, ["pipeline_id: expected int64"]),
    ],
    ids=[
        "right",
        "a-text-for-a-number",
        "a-number-for-a-flag",
        "a-field",
        "a-nested-field",
        "a-parameter",
        "sent-right",
        "sent",
        "sent-type",
    ],
)
def test_what_the_client_does_not_know_is_found(
    known: Contract, route: str, query: dict[str, str], body: dict[str, Any], answer: Any, found: list[str]
) -> None:
    """Fields, their types and parameters, however deep."""
    violations = known.violations(route, query, body, answer)
    assert len(violations) == len(found)
    assert all(words in violation for words, violation in zip(found, violations, strict=True))
