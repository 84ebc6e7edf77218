"""What an event can have altered of a change: said by the adapters, and never less than what is altered."""

from __future__ import annotations

import asyncio
import json
from dataclasses import fields

import pytest

from providers.vcs.gitea.deliveries import parse_delivery as parse_gitea
from providers.vcs.github.deliveries import parse_delivery as parse_github
from providers.vcs.memory import MemoryForge
from providers.vcs.signatures import sign

SECRET = "a secret of the tests"
REPOSITORY = {"id": 1, "full_name": "acme/web"}
PULL = {"number": 7, "updated_at": "2026-01-05T09:00:00Z", "head": {"sha": "a" * 40}}
ISSUE = {"number": 7, "updated_at": "2026-01-05T09:00:00Z", "pull_request": {"url": "x"}}
STATUS = {"sha": "a" * 40, "context": "ci", "state": "success"}


def gitea(kind, **payload):
    body = json.dumps({"repository": REPOSITORY, **payload}).encode()
    return parse_gitea({"X-Gitea-Event-Type": kind, "X-Gitea-Delivery": "1", "X-Gitea-Signature": sign(SECRET, body)}, body, [SECRET])


def github(kind, **payload):
    body = json.dumps({"repository": REPOSITORY, **payload}).encode()
    headers = {"X-GitHub-Event": kind, "X-GitHub-Delivery": "1", "X-Hub-Signature-256": f"sha256={sign(SECRET, body)}"}
    return parse_github(headers, body, [SECRET])


DELIVERIES = {
    "gitea label": (lambda: gitea("pull_request_label", action="label_updated", pull_request=PULL), {"labels"}),
    "gitea comment": (lambda: gitea("issue_comment", action="created", is_pull=True, issue=ISSUE), {"comments", "reviews", "threads"}),
    "gitea assignment": (lambda: gitea("pull_request_assign", action="assigned", pull_request=PULL), set()),
    "gitea status": (lambda: gitea("status", **STATUS), {"checks"}),
    "gitea push": (lambda: gitea("pull_request_sync", action="synchronized", pull_request=PULL), None),
    "gitea edit": (lambda: gitea("pull_request", action="edited", pull_request=PULL), None),
    "github label": (lambda: github("pull_request", action="unlabeled", pull_request=PULL), {"labels"}),
    "github comment": (lambda: github("issue_comment", action="created", issue=ISSUE), {"comments"}),
    "github status": (lambda: github("status", **STATUS), {"checks"}),
    "github push": (lambda: github("pull_request", action="synchronize", pull_request=PULL), None),
    "github edit": (lambda: github("pull_request", action="edited", pull_request=PULL), None),
}


@pytest.mark.parametrize(("deliver", "touches"), DELIVERIES.values(), ids=DELIVERIES)
def test_only_events_that_are_known_to_are_said_to_touch_little(deliver, touches):
    """Whatever is not known may have altered anything."""
    assert deliver().touches == (None if touches is None else frozenset(touches))


def acts(forge, key):
    """Everything people do to a change that leaves it open."""
    yield lambda: forge.comment(key, "why?", by="bob")
    yield lambda: forge.label(key, "bug", "wip")
    yield lambda: forge.request_review(key, of="cleo")
    yield lambda: forge.post_status("acme/web", forge.world.change(key).head_sha, "build", "success", by="ci")
    yield lambda: forge.approve(key, by="bob")
    yield lambda: forge.dismiss(key, of="bob")
    yield lambda: forge.discuss(key, "a", by="bob")
    yield lambda: forge.edit(key, title="another", body="text", draft=True)
    yield lambda: forge.push("acme/web", "work", {"b": "2"})


def test_nothing_else_is_altered_than_what_an_event_is_said_to_touch():
    """Each act on the memory forge, with the facts before and after: a wrong word here would leave a verdict that is not true."""

    async def story():
        forge = MemoryForge(connection="work", webhook_secrets=(SECRET,))
        forge.create_repository("acme/web")
        key = forge.open_change("acme/web", head="work", files={"a": "1"}, by="ana")
        forge.outbox()
        told = 0
        for act in acts(forge, key):
            before = await forge.read_change(key)
            act()
            after = await forge.read_change(key)
            altered = {field.name for field in fields(after) if getattr(before, field.name) != getattr(after, field.name)} - {"updated_at"}
            parsed = [forge.parse_delivery(delivery.headers, delivery.body) for delivery in forge.outbox()]
            assert altered
            for each in parsed:
                assert each.touches is None or altered <= each.touches
                told += each.touches is not None
        await forge.close()
        assert told == 4

    asyncio.run(story())
