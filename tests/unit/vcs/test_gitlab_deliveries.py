"""Who is trusted to have sent a GitLab delivery, and what each kind of delivery is taken for.

The payloads are those GitLab's own client is tested with, read from the tests' cache; Standard Webhooks' own library signs.
"""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from providers.vcs import (
    BranchEvent,
    ChangeEvent,
    ChangeKey,
    DeliveryRefused,
    Event,
    IgnoredEvent,
    MembersEvent,
    ParsedDelivery,
    Refusal,
    StatusEvent,
)
from providers.vcs.gitlab import GitLabForge
from tests.servers.need import need

SIGNING = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER = "whsec_" + base64.b64encode(bytes(range(1, 33))).decode()
PLAIN = "a-secret-in-clear"
AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
BODY = json.dumps(
    {
        "object_kind": "merge_request",
        "user": {"username": "ana"},
        "project": {"id": 7, "path_with_namespace": "acme/group/web"},
        "object_attributes": {
            "iid": 3,
            "action": "update",
            "updated_at": "2026-11-24 20:37:44 UTC",
            "last_commit": {"id": "a" * 40},
        },
    }
).encode()
EVENT = ChangeEvent(
    key=ChangeKey(repository="acme/group/web", number=3),
    what="merge_request.update",
    head_sha="a" * 40,
    updated_at=datetime(2026, 11, 24, 20, 37, 44, tzinfo=UTC),
    by="ana",
)


def a_forge(*secrets: str) -> GitLabForge:
    return GitLabForge(connection="work", url="https://gitlab.test", token="t", webhook_secrets=secrets)


def signed(secret: str = SIGNING, *, body: bytes = BODY, id: str = "msg-1") -> dict[str, str]:
    """Headers of a delivery signed as GitLab's signing tokens do."""
    signature = Webhook(secret).sign(id, AT, body.decode())
    return {
        "X-Gitlab-Event": "Merge Request Hook",
        "webhook-id": id,
        "webhook-timestamp": str(int(AT.timestamp())),
        "webhook-signature": signature,
    }


def in_clear(secret: str = PLAIN, kind: str = "Merge Request Hook") -> dict[str, str]:
    return {"X-Gitlab-Event": kind, "X-Gitlab-Token": secret, "Idempotency-Key": "key-1"}


def refusal(forge: GitLabForge, headers: dict[str, str], body: bytes = BODY) -> Refusal:
    with pytest.raises(DeliveryRefused) as refused:
        forge.parse_delivery(headers, body)
    assert not any(secret in str(refused.value) for secret in (SIGNING, OTHER, PLAIN))
    return refused.value.refusal


def test_what_the_library_signs_is_accepted() -> None:
    """By whichever of the secrets while one is rotated; the delivery goes by its webhook-id."""
    for secrets in ([SIGNING], [OTHER, SIGNING], [PLAIN, SIGNING]):
        delivery = a_forge(*secrets).parse_delivery(signed(), BODY)
        assert (delivery.id, delivery.event) == ("msg-1", EVENT)


def test_one_right_signature_among_several_is_enough() -> None:
    """While a signing token is rotated GitLab signs with both; kinds nobody knows are passed over."""
    headers = signed()
    others = signed(OTHER)["webhook-signature"]
    headers["webhook-signature"] = f"v9,abc {others} {headers['webhook-signature']}"
    assert a_forge(SIGNING).parse_delivery(headers, BODY).event == EVENT


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": "msg-2"},
        {"webhook-timestamp": str(int(AT.timestamp()) + 1)},
        {"webhook-timestamp": ""},
        {"webhook-id": ""},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v2," + signed()["webhook-signature"][3:]},
        {"webhook-signature": signed(OTHER)["webhook-signature"]},
    ],
    ids=lambda change: "-".join(f"{name}={value[:12]}" for name, value in change.items()),
)
def test_whatever_is_signed_cannot_be_changed(change: dict[str, str]) -> None:
    """Neither id nor time nor the kind of signature."""
    assert refusal(a_forge(SIGNING), signed() | change) is Refusal.SIGNATURE_WRONG


@given(st.integers(min_value=0, max_value=len(BODY) * 8 - 1))
def test_one_flipped_bit_of_the_body_is_refused(bit: int) -> None:
    """Anywhere in it."""
    flipped = bytearray(BODY)
    flipped[bit // 8] ^= 1 << (bit % 8)
    assert refusal(a_forge(SIGNING), signed(), bytes(flipped)) is Refusal.SIGNATURE_WRONG


@given(st.data())
def test_one_flipped_bit_of_the_signature_is_refused(data: st.DataObject) -> None:
    """Or of the secret in clear."""
    for headers, name, forge in (
        (signed(), "webhook-signature", a_forge(SIGNING)),
        (in_clear(), "X-Gitlab-Token", a_forge(PLAIN)),
    ):
        value = bytearray(headers[name].encode())
        bit = data.draw(st.integers(min_value=0, max_value=len(value) * 8 - 1))
        value[bit // 8] ^= 1 << (bit % 8)
        changed = headers | {name: value.decode("latin-1")}
        assert refusal(forge, changed) in (Refusal.SIGNATURE_WRONG, Refusal.SIGNATURE_MISSING)


def test_a_secret_in_clear_is_accepted_whichever_case_the_header_has() -> None:
    """The delivery goes by the key that stays the same when GitLab tries again, or by the event's own."""
    forge = a_forge("old", PLAIN)
    assert forge.parse_delivery(in_clear(), BODY).id == "key-1"
    lower = {"x-gitlab-event": "Merge Request Hook", "x-gitlab-token": PLAIN, "x-gitlab-event-uuid": "uuid-1"}
    assert forge.parse_delivery(lower, BODY).id == "uuid-1"


@pytest.mark.parametrize(
    ("secrets", "headers", "expected"),
    [
        ([], in_clear(), Refusal.SIGNATURE_MISSING),
        ([""], in_clear(""), Refusal.SIGNATURE_MISSING),
        ([PLAIN], {"X-Gitlab-Event": "Merge Request Hook"}, Refusal.SIGNATURE_MISSING),
        ([PLAIN], in_clear(""), Refusal.SIGNATURE_MISSING),
        ([PLAIN], in_clear("another"), Refusal.SIGNATURE_WRONG),
        ([PLAIN], in_clear(PLAIN + " "), Refusal.SIGNATURE_WRONG),
        ([SIGNING], in_clear(SIGNING), Refusal.SIGNATURE_WRONG),
        ([SIGNING, PLAIN], signed(OTHER) | {"X-Gitlab-Token": PLAIN}, Refusal.SIGNATURE_WRONG),
        ([PLAIN], signed() | {"X-Gitlab-Token": PLAIN}, Refusal.SIGNATURE_WRONG),
        (["whsec_not base64!"], signed(), Refusal.SIGNATURE_WRONG),
    ],
    ids=[
        "nothing-configured",
        "an-empty-secret",
        "no-header",
        "an-empty-header",
        "another-secret",
        "a-longer-secret",
        "a-signing-token-in-clear",
        "a-wrong-signature-beside-the-right-secret",
        "a-signature-nobody-can-check",
        "a-secret-that-is-none",
    ],
)
def test_what_is_not_vouched_for_is_refused(secrets: list[str], headers: dict[str, str], expected: Refusal) -> None:
    """A signature that is there has to be right; a signing token is never taken in clear."""
    assert refusal(a_forge(*secrets), headers) is expected


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"{}", b'{"object_attributes": {"iid": "3"}}'])
def test_what_cannot_be_read_is_malformed(body: bytes) -> None:
    """Trusted, and still of no use."""
    assert refusal(a_forge(PLAIN), in_clear(), body) is Refusal.MALFORMED


def test_a_delivery_without_a_name_is_malformed() -> None:
    """It could not be told from the next one."""
    headers = in_clear()
    del headers["Idempotency-Key"]
    assert refusal(a_forge(PLAIN), headers) is Refusal.MALFORMED


# --- what each of GitLab's payloads is taken for ------------------------------------------------------

KINDS = {
    "build": "Job Hook",
    "deployment": "Deployment Hook",
    "emoji_issue": "Emoji Hook",
    "emoji_merge_request": "Emoji Hook",
    "emoji_note_commit": "Emoji Hook",
    "emoji_note_issue": "Emoji Hook",
    "emoji_note_merge_request": "Emoji Hook",
    "emoji_note_snippet": "Emoji Hook",
    "emoji_snippet": "Emoji Hook",
    "feature_flag": "Feature Flag Hook",
    "group_merge_request": "Merge Request Hook",
    "issue": "Issue Hook",
    "job": "Job Hook",
    "member": "Member Hook",
    "merge_request": "Merge Request Hook",
    "milestone_group": "Milestone Hook",
    "milestone_project": "Milestone Hook",
    "note_commit": "Note Hook",
    "note_issue": "Note Hook",
    "note_merge_request": "Note Hook",
    "note_snippet": "Note Hook",
    "pipeline": "Pipeline Hook",
    "project": "Project Hook",
    "push": "Push Hook",
    "release": "Release Hook",
    "resource_access_token_group": "Resource Access Token Hook",
    "resource_access_token_project": "Resource Access Token Hook",
    "service_merge_request": "Service Hook",
    "subgroup": "Subgroup Hook",
    "tag_push": "Tag Push Hook",
    "vulnerability": "Vulnerability Hook",
    "wiki_page": "Wiki Page Hook",
}
TAKEN_FOR: dict[str, Any] = {
    "job": StatusEvent,
    "pipeline": StatusEvent,
    "merge_request": ChangeEvent,
    "note_merge_request": ChangeEvent,
    "member": MembersEvent,
    "subgroup": MembersEvent,
    "push": BranchEvent,
}
"""Everything else is acknowledged and ignored."""
GARBLED = {"group_merge_request"}
"""Its names end with a space, so that it has no number."""


def delivery_of(name: str) -> ParsedDelivery:
    folder = need("gitlab-client").parent / "testdata" / "webhooks"
    return a_forge(PLAIN).parse_delivery(in_clear(kind=KINDS[name]), (folder / f"{name}.json").read_bytes())


def event_of(name: str) -> Event:
    return delivery_of(name).event


def test_the_table_names_every_payload() -> None:
    """GitLab's client comes with no other."""
    folder: Path = need("gitlab-client").parent / "testdata" / "webhooks"
    assert sorted(path.stem for path in folder.glob("*.json")) == sorted(KINDS)


@pytest.mark.parametrize("name", sorted(set(KINDS) - GARBLED))
def test_each_of_gitlabs_payloads_is_understood(name: str) -> None:
    """What concerns a change, a commit, a branch or people is told as such, whatever else as ignored; none is an error."""
    assert type(event_of(name)) is TAKEN_FOR.get(name, IgnoredEvent)


def test_any_of_gitlabs_payloads_may_have_altered_anything() -> None:
    """GitLab's events come for more than they name, so that no judgement is ever skipped for one."""
    assert {delivery_of(name).touches for name in set(KINDS) - GARBLED} == {None}


@pytest.mark.parametrize("name", sorted(GARBLED))
def test_a_payload_without_what_it_is_about_is_malformed(name: str) -> None:
    """It is refused as such, and is no error of ours."""
    with pytest.raises(DeliveryRefused) as refused:
        event_of(name)
    assert refused.value.refusal is Refusal.MALFORMED


def test_a_merge_request_event_says_which_and_how_new() -> None:
    """Number, head and time; times come in two forms."""
    event = event_of("merge_request")
    assert event == ChangeEvent(
        key=ChangeKey(repository="gitlabhq/gitlab-test", number=1),
        what="merge_request.open",
        head_sha="da1560886d4f094c3e6c9ef40349f7d38b5d27d7",
        updated_at=datetime(2013, 12, 3, 17, 23, 34, tzinfo=UTC),
        by="user1",
    )
    assert isinstance(event_of("note_merge_request"), ChangeEvent)


def test_a_subgroup_event_names_the_organisation() -> None:
    """A member's does not: the payload leaves out the groups above."""
    assert event_of("subgroup") == MembersEvent(organization="group-1", repository=None, what="subgroup_create")
    assert event_of("member") == MembersEvent(organization=None, repository=None, what="user_add_to_group")


def pipeline(*builds: tuple[int, str, str]) -> bytes:
    return json.dumps(
        {
            "object_attributes": {"status": "running", "sha": "b" * 40},
            "project": {"id": 7, "path_with_namespace": "acme/web"},
            "user": {"username": "mallory"},
            "builds": [{"id": id, "name": name, "status": status} for id, name, status in builds],
        }
    ).encode()


@pytest.mark.parametrize(
    ("builds", "context", "state"),
    [
        ([(1, "test", "success"), (2, "admit/main", "success")], "pipeline", "running"),
        ([], "pipeline", "running"),
        ([(1, "admit/main", "pending"), (2, "admit/release", "canceled")], "admit/release", "error"),
        ([(2, "admit/main", "success"), (1, "admit/main", "pending")], "admit/main", "success"),
    ],
    ids=["a-real-pipeline", "no-jobs", "ours-undecided", "ours-or-a-forgery"],
)
def test_a_pipeline_of_our_own_statuses_says_nothing_new(builds: list[Any], context: str, state: str) -> None:
    """It is told under our name and in our words, so that only a forgery looks different."""
    event = a_forge(PLAIN).parse_delivery(in_clear(kind="Pipeline Hook"), pipeline(*builds)).event
    assert isinstance(event, StatusEvent)
    assert (event.context, event.state, event.sha, event.by) == (context, state, "b" * 40, "mallory")


@pytest.mark.parametrize(("after", "sha"), [("c" * 40, "c" * 40), ("0" * 40, None)], ids=["moved", "gone"])
def test_a_push_moves_a_branch(after: str, sha: str | None) -> None:
    """Or removes it."""
    payload = {"ref": "refs/heads/release/1", "after": after, "project": {"id": 7, "path_with_namespace": "acme/web"}}
    event = a_forge(PLAIN).parse_delivery(in_clear(kind="Push Hook"), json.dumps(payload).encode()).event
    assert event == BranchEvent(repository_id="7", repository="acme/web", branch="release/1", sha=sha, what="push")
