"""Verifying and reading Gitea's deliveries, without a network: every refusal, and which header is believed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.vcs import BranchEvent, ChangeEvent, ChangeKey, DeliveryRefused, Event, IgnoredEvent, Refusal, StatusEvent
from providers.vcs.gitea.deliveries import parse_delivery
from providers.vcs.signatures import sign, signed_by_one_of

SECRET = "s3cret"
REPOSITORY = {"id": 7, "full_name": "acme/web"}
PULL = {"number": 5, "updated_at": "2026-01-02T03:04:05Z", "head": {"sha": "a" * 40}}
KEY = ChangeKey(repository="acme/web", number=5)


def a_delivery(kind: str = "pull_request_sync", *, secret: str = SECRET, **payload: Any) -> tuple[dict[str, str], bytes]:
    """Headers and body as Gitea sends them, GitHub's included."""
    content = {"action": "synchronized", "pull_request": PULL, "repository": REPOSITORY, "sender": {"login": "ana"}, **payload}
    body = json.dumps(content, indent=2).encode()
    signature = sign(secret, body)
    headers = {
        "Content-Type": "application/json",
        "X-Gitea-Delivery": "1b4e28ba-2fa1-11d2-883f-0016d3cca427",
        "X-Gitea-Event": "pull_request",
        "X-Gitea-Event-Type": kind,
        "X-Gitea-Signature": signature,
        "X-GitHub-Delivery": "1b4e28ba-2fa1-11d2-883f-0016d3cca427",
        "X-GitHub-Event": "pull_request",
        "X-Hub-Signature-256": f"sha256={signature}",
    }
    return headers, body


def refusal(headers: dict[str, str], body: bytes, secrets: tuple[str, ...] = (SECRET,)) -> Refusal:
    with pytest.raises(DeliveryRefused) as refused:
        parse_delivery(headers, body, secrets)
    assert SECRET not in str(refused.value)
    return refused.value.refusal


def event(kind: str, **payload: Any) -> Event:
    return parse_delivery(*a_delivery(kind, **payload), (SECRET,)).event


def test_a_push_to_a_change_is_read() -> None:
    """Which change, up to which head and moment, by whom; the event type says it is a push, not the event."""
    delivery = parse_delivery(*a_delivery(), (SECRET,))

    assert delivery.id == "1b4e28ba-2fa1-11d2-883f-0016d3cca427"
    assert delivery.event == ChangeEvent(
        key=KEY,
        what="pull_request_sync.synchronized",
        head_sha="a" * 40,
        updated_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        by="ana",
    )


def test_header_names_may_be_in_any_case() -> None:
    """Servers hand them over as they like."""
    headers, body = a_delivery()
    for spelled in ({k.lower(): v for k, v in headers.items()}, {k.upper(): v for k, v in headers.items()}):
        assert parse_delivery(spelled, body, (SECRET,)).event == event("pull_request_sync")


def test_forgejos_own_headers_are_taken_too() -> None:
    """It sends its name beside Gitea's, and may stop sending Gitea's."""
    headers, body = a_delivery()
    renamed = {name.replace("Gitea", "Forgejo"): value for name, value in headers.items()}

    assert parse_delivery(renamed, body, (SECRET,)).event == event("pull_request_sync")


def test_githubs_headers_alone_prove_nothing() -> None:
    """Their signature may be right: what is asked for is Gitea's."""
    headers, body = a_delivery()
    github = {name: value for name, value in headers.items() if "Gitea" not in name}

    assert refusal(github, body) is Refusal.SIGNATURE_MISSING


def test_an_empty_signature_is_none() -> None:
    """Gitea sends it when the hook has no secret."""
    headers, body = a_delivery()
    assert refusal({**headers, "X-Gitea-Signature": ""}, body) is Refusal.SIGNATURE_MISSING


@pytest.mark.parametrize("secrets", [(), ("",), ("", "")])
def test_without_a_secret_nothing_is_trusted(secrets: tuple[str, ...]) -> None:
    """An empty secret is none: whoever knows the code could sign with it."""
    headers, body = a_delivery(secret="")
    assert refusal(headers, body, secrets) is Refusal.SIGNATURE_MISSING


@pytest.mark.parametrize("form", ["sha256={}", "{}\n", " {}", "{}{}"], ids=["with GitHub's prefix", "newline", "space", "twice"])
def test_a_signature_of_another_form_is_wrong(form: str) -> None:
    """Exactly 64 hex digits in lower case."""
    headers, body = a_delivery()
    good = headers["X-Gitea-Signature"]
    for changed in (form.format(good, good), good.upper()):
        assert refusal({**headers, "X-Gitea-Signature": changed}, body) is Refusal.SIGNATURE_WRONG


def test_a_wrong_signature_is_refused_before_the_body_is_read() -> None:
    """Whatever the body holds, and however broken it is."""
    headers, _ = a_delivery()
    for body in (b"", b"{", b"\xff\xfe", b"[" * 100_000):
        assert refusal(headers, body) is Refusal.SIGNATURE_WRONG


@pytest.mark.parametrize("missing", ["X-Gitea-Delivery", "both event headers"])
def test_a_signed_delivery_without_its_headers_is_malformed(missing: str) -> None:
    """Trusted, but it does not say what it is."""
    headers, body = a_delivery()
    gone = ("X-Gitea-Event", "X-Gitea-Event-Type") if missing == "both event headers" else (missing,)
    assert refusal({name: value for name, value in headers.items() if name not in gone}, body) is Refusal.MALFORMED


@pytest.mark.parametrize(
    "payload",
    [
        {"pull_request": None},
        {"pull_request": {**PULL, "number": "5"}},
        {"pull_request": {**PULL, "number": True}},
        {"pull_request": {**PULL, "updated_at": "yesterday"}},
        {"pull_request": {**PULL, "updated_at": "2026-01-02T03:04:05"}},
        {"pull_request": {**PULL, "head": {}, "number": None}},
        {"repository": {}},
        {"repository": "acme/web"},
    ],
)
def test_a_signed_delivery_that_lacks_something_is_malformed(payload: dict[str, Any]) -> None:
    """A fault that is named, not a guess."""
    headers, body = a_delivery(**payload)
    assert refusal(headers, body) is Refusal.MALFORMED


@pytest.mark.parametrize("body", [b"null", b"[]", b"{", b'{"a": NaN}', b"\xff", b"[" * 100_000])
def test_a_signed_body_that_is_no_object_is_malformed(body: bytes) -> None:
    """Strict JSON in UTF-8."""
    headers, _ = a_delivery()
    assert refusal({**headers, "X-Gitea-Signature": sign(SECRET, body)}, body) is Refusal.MALFORMED


def test_a_comment_on_a_plain_issue_concerns_nobody() -> None:
    """Only a pull request's comments do; Gitea calls both an issue comment."""
    issue = {"number": 5, "updated_at": PULL["updated_at"]}
    on_pull = event("pull_request_comment", action="created", issue=issue, is_pull=True)
    on_issue = event("issue_comment", action="created", issue=issue, is_pull=False)

    assert isinstance(on_pull, ChangeEvent)
    assert (on_pull.key, on_pull.what) == (KEY, "pull_request_comment.created")
    assert on_issue == IgnoredEvent(what="issue_comment.created")


def test_a_status_and_branches_are_read() -> None:
    """A push that deletes has a sha of zeros, which is no commit."""
    repository = {"repository_id": "7", "repository": "acme/web"}
    status = event("status", sha="b" * 40, context="ci/test", state="success")
    pushed = event("push", ref="refs/heads/release/1", after="c" * 40)
    gone = event("push", ref="refs/heads/release/1", after="0" * 40)
    deleted = event("delete", ref="release/1", ref_type="branch")
    tagged = event("push", ref="refs/tags/main", after="c" * 40)

    assert status == StatusEvent(**repository, sha="b" * 40, context="ci/test", by="ana", what="status.success", state="success")
    assert pushed == BranchEvent(**repository, branch="release/1", sha="c" * 40, what="push")
    assert gone == BranchEvent(**repository, branch="release/1", sha=None, what="push")
    assert deleted == BranchEvent(**repository, branch="release/1", sha=None, what="delete")
    assert tagged == IgnoredEvent(what="push.tag")


@pytest.mark.parametrize("kind", ["repository", "release", "wiki", "package", "fork", "issues", "workflow_run", "of tomorrow"])
def test_what_nobody_asked_for_is_ignored(kind: str) -> None:
    """Understood to be of no consequence, so it is acknowledged."""
    assert event(kind, action="created") == IgnoredEvent(what=f"{kind}.created")


def a_form(text: str) -> tuple[dict[str, str], bytes]:
    headers, _ = a_delivery()
    form = {**headers, "Content-Type": "application/x-www-form-urlencoded; charset=utf-8", "X-Gitea-Signature": sign(SECRET, text.encode())}
    return form, f"payload={quote_plus(text)}".encode()


def test_a_form_is_the_same_as_its_json() -> None:
    """Signed is the text inside."""
    _, body = a_delivery()
    assert parse_delivery(*a_form(body.decode()), (SECRET,)).event == event("pull_request_sync")


def test_a_form_written_in_any_other_way_is_refused() -> None:
    """The signature is over what the form means; so that no other bytes are taken, it has to be written one way."""
    _, body = a_delivery()
    headers, form = a_form(body.decode())
    others = [
        form + b"&other=1",
        b"other=1&" + form,
        form.replace(b"%7B", b"%7b"),
        form.replace(b"+", b"%20"),
        body,
        b"",
        urlencode({"payload": body.decode(), "payload2": "x"}).encode(),
    ]
    for other in others:
        assert refusal(headers, other) is Refusal.SIGNATURE_WRONG


@given(st.text())
def test_any_text_survives_the_form(text: str) -> None:
    """The one way to write it is Gitea's: what is signed comes out as it went in, or is refused as no object."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    headers, form = a_form(json.dumps({"action": text, "repository": REPOSITORY}, ensure_ascii=False))
    delivery = parse_delivery({**headers, "X-Gitea-Event-Type": "release"}, form, (SECRET,))
    assert delivery.event == IgnoredEvent(what=f"release.{text}" if text else "release")


@given(st.binary(), st.binary(), st.text(min_size=1))
def test_only_the_signed_bytes_are_signed(signed: bytes, other: bytes, secret: str) -> None:
    """Another message or another secret does not fit."""
    try:
        signature = sign(secret, signed)
    except UnicodeEncodeError:
        return
    assert signed_by_one_of([secret], signed, signature)
    assert signed_by_one_of(["x" + secret, secret], signed, signature)
    assert signed_by_one_of([secret], other, signature) == (signed == other)
    assert not signed_by_one_of(["x" + secret], signed, signature)
