"""GitHub's deliveries: which are trusted, and what each published example means here."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import pytest

from providers.vcs import (
    BranchEvent,
    ChangeEvent,
    DeliveryRefused,
    Event,
    HeadEvent,
    IgnoredEvent,
    MembersEvent,
    MergeGroupEvent,
    Refusal,
    StatusEvent,
)
from providers.vcs.github.deliveries import parse_delivery
from providers.vcs.signatures import sign
from tests.servers.github_payloads import Example, github_headers, published_examples

SECRET = "hook-secret"
PUBLISHED_SECRET, PUBLISHED_BODY = "It's a Secret to Everybody", b"Hello, World!"
PUBLISHED_SIGNATURE = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
"""https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries"""

A_CHANGE = {"pull_request", "pull_request_review", "pull_request_review_comment", "pull_request_review_thread"}
"""Whatever the action: the change is judged, by the number of its `pull_request`."""
MEMBERS = {"member", "membership", "organization", "team", "team_add"}
"""Whatever the action: who belongs to what is read anew."""
MEANING: Mapping[tuple[str, str | None], type[Event]] = {
    ("status", None): StatusEvent,
    ("check_run", "created"): StatusEvent,
    ("check_run", "completed"): StatusEvent,
    ("check_run", "rerequested"): HeadEvent,
    ("check_run", "requested_action"): HeadEvent,
    ("check_suite", "rerequested"): HeadEvent,
    ("merge_group", "checks_requested"): MergeGroupEvent,
}
"""(event, action) → what it means; what is neither here nor told apart below is acknowledged and ignored."""


def meaning(example: Example) -> type[Event]:
    """What the table says of an example."""
    payload = example.payload
    if example.event in A_CHANGE:
        return ChangeEvent
    if example.event in MEMBERS:
        return MembersEvent
    if example.event == "issue_comment":
        return ChangeEvent if "pull_request" in payload["issue"] else IgnoredEvent
    if example.event == "push":
        return BranchEvent if payload["ref"].startswith("refs/heads/") else IgnoredEvent
    if example.event == "delete":
        return BranchEvent if payload["ref_type"] == "branch" else IgnoredEvent
    return MEANING.get((example.event, example.action), IgnoredEvent)


def parsed(body: bytes, headers: Mapping[str, str], *secrets: str) -> Event:
    return parse_delivery(headers, body, secrets or (SECRET,)).event


def an_event(event: str, **payload: Any) -> Event:
    body = json.dumps(payload).encode()
    return parsed(body, github_headers(event, body, SECRET))


def refusal(body: bytes, headers: Mapping[str, str], *secrets: str) -> Refusal:
    with pytest.raises(DeliveryRefused) as raised:
        parse_delivery(headers, body, secrets or (SECRET,))
    return raised.value.refusal


def test_each_published_example_means_what_the_table_says() -> None:
    """All 329 are understood; which change, commit, branch or group is meant is the payload's own word."""
    counted: Counter[type[Event]] = Counter()
    for example in published_examples():
        event = parsed(example.body, example.headers(SECRET))
        payload = example.payload
        assert type(event) is meaning(example), (example.event, example.action)
        counted[type(event)] += 1
        match event:
            case ChangeEvent():
                proposal = payload.get("pull_request") or payload["issue"]
                assert (event.key.repository, event.key.number) == (payload["repository"]["full_name"], proposal["number"])
                assert event.head_sha == (payload["pull_request"]["head"]["sha"] if "pull_request" in payload else None)
                assert event.updated_at is not None
            case StatusEvent() if example.event == "status":
                assert (event.sha, event.context, event.state) == (payload["sha"], payload["context"], payload["state"])
            case StatusEvent() | HeadEvent():
                assert event.sha == (payload.get("check_run") or payload["check_suite"])["head_sha"]
            case BranchEvent():
                assert event.branch == payload["ref"].removeprefix("refs/heads/")
                assert (event.sha is None) == (example.event == "delete" or payload["deleted"])
            case MembersEvent(organization=None):
                assert event.repository == payload["repository"]["full_name"]
            case MembersEvent():
                assert (event.organization, event.repository) == (payload["organization"]["login"], None)
            case MergeGroupEvent():
                assert (event.group.head_sha, event.group.branch, event.ended) == (payload["merge_group"]["head_sha"], "main", False)
    assert counted.total() == 329
    assert {ChangeEvent, StatusEvent, HeadEvent, BranchEvent, MergeGroupEvent, MembersEvent, IgnoredEvent} == set(counted)


def test_the_published_vector_is_accepted() -> None:
    """Its body is no JSON, so it is trusted and then found malformed."""
    headers = {"X-Hub-Signature-256": PUBLISHED_SIGNATURE, "X-GitHub-Event": "ping", "X-GitHub-Delivery": "1"}
    assert f"sha256={sign(PUBLISHED_SECRET, PUBLISHED_BODY)}" == PUBLISHED_SIGNATURE
    assert refusal(PUBLISHED_BODY, headers, PUBLISHED_SECRET) is Refusal.MALFORMED
    assert refusal(PUBLISHED_BODY, headers, PUBLISHED_SECRET + " ") is Refusal.SIGNATURE_WRONG


def test_one_flipped_bit_anywhere_is_refused() -> None:
    """In the body or in the signature."""
    body = b'{"zen": "Keep it logically awesome."}'
    headers = github_headers("ping", body, SECRET)
    assert parsed(body, headers) == IgnoredEvent(what="ping")
    for position in range(len(body) * 8):
        flipped = bytearray(body)
        flipped[position // 8] ^= 1 << position % 8
        assert refusal(bytes(flipped), headers) is Refusal.SIGNATURE_WRONG
    signature = headers["X-Hub-Signature-256"].encode()
    for position in range(len(signature) * 8):
        changed = bytearray(signature)
        changed[position // 8] ^= 1 << position % 8
        assert refusal(body, {**headers, "X-Hub-Signature-256": changed.decode("latin-1")}) is Refusal.SIGNATURE_WRONG


@pytest.mark.parametrize("signature", ["", "sha256=", None])
def test_an_absent_signature_is_refused(signature: str | None) -> None:
    """Also one that is sent empty, and one by SHA-1 alone."""
    headers = {name: value for name, value in github_headers("ping", b"{}", SECRET).items() if name != "X-Hub-Signature-256"}
    headers["X-Hub-Signature"] = "sha1=" + "0" * 40
    given = headers if signature is None else {**headers, "X-Hub-Signature-256": signature}
    assert refusal(b"{}", given) is Refusal.SIGNATURE_MISSING


def test_no_configured_secret_trusts_nothing() -> None:
    """Not even a body signed with the empty secret."""
    assert refusal(b"{}", github_headers("ping", b"{}", ""), "") is Refusal.SIGNATURE_MISSING


def test_each_secret_is_accepted_while_they_rotate() -> None:
    """The old one and the new one, and no third."""
    for secret in ("old", "new"):
        assert parsed(b"{}", github_headers("ping", b"{}", secret), "old", "new") == IgnoredEvent(what="ping")
    assert refusal(b"{}", github_headers("ping", b"{}", "other"), "old", "new") is Refusal.SIGNATURE_WRONG


def test_headers_of_another_forge_change_nothing() -> None:
    """They neither make a bad signature good, nor a good one bad."""
    body = b'{"zen": "x"}'
    good = github_headers("ping", body, SECRET)
    bad = {**good, "X-Hub-Signature-256": f"sha256={sign('other', body)}"}
    foreign = {
        "X-Gitea-Signature": sign(SECRET, body),
        "X-Gitea-Event": "push",
        "X-Gitea-Event-Type": "push",
        "X-Gogs-Signature": sign(SECRET, body),
        "X-Forgejo-Signature": sign(SECRET, body),
        "X-Gitlab-Token": SECRET,
    }

    assert parsed(body, {**foreign, **good}) == IgnoredEvent(what="ping")
    assert refusal(body, {**foreign, **bad}) is Refusal.SIGNATURE_WRONG
    assert refusal(body, {**foreign, "X-GitHub-Event": "ping", "X-GitHub-Delivery": "1"}) is Refusal.SIGNATURE_MISSING


def test_a_form_is_signed_as_it_was_sent() -> None:
    """The signature is over the form, not over the JSON in it."""
    payload = json.dumps({"zen": "a+b & c=ü"})
    body = urlencode({"payload": payload}).encode()
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    assert parsed(body, {**github_headers("ping", body, SECRET), **form}) == IgnoredEvent(what="ping")
    assert refusal(body, {**github_headers("ping", payload.encode(), SECRET), **form}) is Refusal.SIGNATURE_WRONG
    twice = body + b"&payload=%7B%7D"
    assert refusal(twice, {**github_headers("ping", twice, SECRET), **form}) is Refusal.MALFORMED


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b"\xff", b"[" * 100_000, b'{"a": NaN}'])
def test_what_is_no_object_is_malformed(body: bytes) -> None:
    """However well it is signed."""
    assert refusal(body, github_headers("pull_request", body, SECRET)) is Refusal.MALFORMED


def test_a_payload_that_lacks_what_it_is_about_is_malformed() -> None:
    """A change event without its change is not one about nothing."""
    for event in ("pull_request", "issue_comment", "status", "check_run", "push", "merge_group"):
        body = b'{"action": "x", "repository": {"id": 1, "full_name": "a/b"}}'
        assert refusal(body, github_headers(event, body, SECRET)) is Refusal.MALFORMED


@pytest.mark.parametrize(
    ("status", "conclusion", "said"),
    [
        ("queued", None, "pending"),
        ("in_progress", None, "pending"),
        ("completed", "success", "success"),
        ("completed", "failure", "failure"),
        ("completed", "action_required", "error"),
        ("completed", "neutral", "neutral"),
        ("completed", None, "pending"),
    ],
)
def test_a_check_run_says_what_a_status_would(status: str, conclusion: str | None, said: str) -> None:
    """In the words the gateway's own reports have, so that their echo is known."""
    run = {"name": "admit/main", "head_sha": "a" * 40, "status": status, "conclusion": conclusion}
    event = an_event("check_run", action="completed", check_run=run, repository={"id": 7, "full_name": "acme/app"})
    assert event == StatusEvent(
        repository_id="7", repository="acme/app", sha="a" * 40, context="admit/main", by=None, what="check_run.completed", state=said
    )


def test_a_group_that_ended_says_so() -> None:
    """Nothing waits for an answer any more."""
    group = {"base_ref": "refs/heads/release/1", "base_sha": "b" * 40, "head_ref": "refs/heads/gh-readonly-queue/x", "head_sha": "c" * 40}
    event = an_event("merge_group", action="destroyed", merge_group=group, repository={"id": 7, "full_name": "acme/app"})
    assert isinstance(event, MergeGroupEvent)
    assert (event.ended, event.group.branch, event.group.ref) == (True, "release/1", "gh-readonly-queue/x")
