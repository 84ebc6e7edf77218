"""Deliveries as a real Gitea sends them: captured on loopback, verified, and read."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from providers.vcs import BranchEvent, Change, ChangeEvent, ChangeKey, DeliveryRefused, IgnoredEvent, Refusal, StatusEvent
from providers.vcs.gitea import GiteaForge
from tests.servers.gitea import Gitea, Project, Pull, User, running_gitea, session_gitea
from tests.servers.receiver import Received, Receiver, receiving

SECRET = "hook-secret"


@dataclass(frozen=True)
class Scene:
    """A repository of ana's with bob as writer, one open pull request from `feature`, and a hook that is captured."""

    gitea: Gitea
    receiver: Receiver
    project: Project
    ana: User
    bob: User
    pull: Pull

    @property
    def key(self) -> ChangeKey:
        return ChangeKey(repository=self.project.full_name, number=self.pull.number)

    def head(self) -> str:
        return str(self.project.pull(self.pull)["head"]["sha"])

    def delivered(self, kind: str) -> Received:
        return self.receiver.wait(lambda request: request.headers["x-gitea-event-type"] == kind)


@pytest.fixture
def scene() -> Iterator[Scene]:
    gitea = session_gitea()
    with receiving() as receiver:
        ana, bob = gitea.account("ana"), gitea.account("bob")
        project = gitea.fresh_repository(ana)
        project.collaborator(bob)
        project.write({"a.txt": "a\n"}, branch="feature")
        project.write({"b.txt": "b\n"}, branch="release")
        pull = project.open_pull("feature", title="Add a")
        project.hook(receiver.url, secret=SECRET)
        yield Scene(gitea, receiver, project, ana, bob, pull)


@functools.cache
def a_forge(secrets: tuple[str, ...] = (SECRET,)) -> GiteaForge:
    return GiteaForge(connection="work", url="http://gitea.test", token="unused", webhook_secrets=secrets)


def opened(scene: Scene) -> None:
    scene.project.write({"c.txt": "c\n"}, branch="another")
    scene.project.open_pull("another")


def reopened(scene: Scene) -> None:
    scene.project.edit(scene.pull, state="closed")
    scene.project.edit(scene.pull, state="open")


def merged(scene: Scene) -> None:
    scene.project.wait_mergeable(scene.pull)
    assert scene.project.merge(scene.pull).status_code == 200


def labels_cleared(scene: Scene) -> None:
    scene.project.label(scene.pull, "bug")
    scene.project.call("DELETE", f"/issues/{scene.pull.number}/labels")


def review_request_removed(scene: Scene) -> None:
    scene.project.request_review(scene.pull, scene.bob)
    scene.project.call("DELETE", f"/pulls/{scene.pull.number}/requested_reviewers", json={"reviewers": ["bob"]})


def milestoned(scene: Scene) -> None:
    made = scene.project.call("POST", "/milestones", json={"title": "one"})
    scene.project.call("PATCH", f"/issues/{scene.pull.number}", json={"milestone": made["id"]})


def comment_edited(scene: Scene) -> None:
    comment = scene.project.comment(scene.pull, "first")
    scene.project.call("PATCH", f"/issues/comments/{comment}", json={"body": "second"})


def comment_deleted(scene: Scene) -> None:
    scene.project.call("DELETE", f"/issues/comments/{scene.project.comment(scene.pull, 'first')}")


def forced(scene: Scene) -> None:
    scene.project.force_push("feature", str(scene.project.branch_sha("release")))


def from_fork(scene: Scene) -> None:
    fork = scene.project.fork(scene.gitea.account("dora"))
    fork.write({"d.txt": "d\n"}, branch="proposal")
    scene.project.open_pull("dora:proposal", by=scene.gitea.account("dora"))
    fork.write({"d.txt": "dd\n"}, branch="proposal")


CHANGES: list[tuple[str, str, Callable[[Scene], object]]] = [
    ("pull_request", "opened", opened),
    ("pull_request", "closed", lambda s: s.project.edit(s.pull, state="closed")),
    ("pull_request", "reopened", reopened),
    ("pull_request", "edited", lambda s: s.project.edit(s.pull, title="Add a, again")),
    ("pull_request", "edited", lambda s: s.project.edit(s.pull, body="because")),
    ("pull_request", "edited", lambda s: s.project.edit(s.pull, base="release")),
    ("pull_request", "edited", lambda s: s.project.edit(s.pull, title="WIP: Add a")),
    ("pull_request", "closed", merged),
    ("pull_request", "closed", lambda s: s.project.delete_branch("feature")),
    ("pull_request_sync", "synchronized", lambda s: s.project.write({"a.txt": "aa\n"}, branch="feature")),
    ("pull_request_sync", "synchronized", forced),
    ("pull_request_sync", "synchronized", from_fork),
    ("pull_request_label", "label_updated", lambda s: s.project.label(s.pull, "bug")),
    ("pull_request_label", "label_cleared", labels_cleared),
    ("pull_request_assign", "assigned", lambda s: s.project.call("PATCH", f"/issues/{s.pull.number}", json={"assignees": ["bob"]})),
    ("pull_request_milestone", "milestoned", milestoned),
    ("pull_request_review_request", "review_requested", lambda s: s.project.request_review(s.pull, s.bob)),
    ("pull_request_review_request", "review_request_removed", review_request_removed),
    ("pull_request_review_approved", "reviewed", lambda s: s.project.review(s.pull, by=s.bob)),
    ("pull_request_review_rejected", "reviewed", lambda s: s.project.review(s.pull, by=s.bob, event="REQUEST_CHANGES")),
    ("pull_request_review_comment", "reviewed", lambda s: s.project.review(s.pull, by=s.bob, event="COMMENT")),
    ("pull_request_comment", "created", lambda s: s.project.comment(s.pull, "hello")),
    ("pull_request_comment", "edited", comment_edited),
    ("pull_request_comment", "deleted", comment_deleted),
]
TITLES = [f"{kind}.{action}-{number}" for number, (kind, action, _) in enumerate(CHANGES)]


@pytest.mark.parametrize(("kind", "action", "act"), CHANGES, ids=TITLES)
def test_what_happens_to_a_change_is_told(scene: Scene, kind: str, action: str, act: Callable[[Scene], object]) -> None:
    """Which change, what happened, and nothing newer than what the forge then says."""
    act(scene)
    request = scene.receiver.wait(lambda r: r.headers["x-gitea-event-type"] == kind and f'"action": "{action}"'.encode() in r.body)

    delivery = a_forge().parse_delivery(request.headers, request.body)

    event = delivery.event
    assert isinstance(event, ChangeEvent)
    assert delivery.id == request.headers["x-gitea-delivery"]
    assert (event.key.repository, event.what, event.by is not None) == (scene.project.full_name, f"{kind}.{action}", True)
    now = scene.project.pull(Pull(number=event.key.number, url=""))
    assert event.updated_at is not None
    assert event.updated_at.isoformat().replace("+00:00", "Z") <= now["updated_at"]
    if act not in (opened, from_fork):
        assert event.key == scene.key
    if kind == "pull_request_sync":
        assert event.head_sha == now["head"]["sha"]
    change = asyncio.run(read(scene, event))
    assert change.updated_at >= event.updated_at


async def read(scene: Scene, event: ChangeEvent) -> Change:
    """The facts, if they are as new as the event; a push needs a moment until Gitea has seen it everywhere."""
    forge = GiteaForge(connection="work", url=scene.gitea.url, token=scene.gitea.admin_token, timeout=240)
    try:
        return await forge.read_change(event.key, not_before=event)
    finally:
        await forge.close()


def test_a_status_is_told(scene: Scene) -> None:
    """Whose, of which name, on which commit."""
    scene.project.status(scene.head(), "ci/test", "failure", by=scene.bob)
    request = scene.delivered("status")

    event = a_forge().parse_delivery(request.headers, request.body).event

    assert event == StatusEvent(
        repository_id=str(scene.project.id),
        repository=scene.project.full_name,
        sha=scene.head(),
        context="ci/test",
        by="bob",
        what="status.failure",
        state="failure",
    )


def test_a_push_and_a_deleted_branch_are_told(scene: Scene) -> None:
    """A deleted branch has no commit."""
    sha = scene.project.write({"n.txt": "n\n"}, branch="topic/new")
    pushed = scene.delivered("push")
    scene.project.delete_branch("topic/new")
    deleted = scene.delivered("delete")

    events = [a_forge().parse_delivery(request.headers, request.body).event for request in (pushed, deleted)]

    branch = {"repository_id": str(scene.project.id), "repository": scene.project.full_name, "branch": "topic/new"}
    assert events == [BranchEvent(**branch, sha=sha, what="push"), BranchEvent(**branch, sha=None, what="delete")]


def test_a_new_branch_is_told(scene: Scene) -> None:
    """With the commit it begins at."""
    scene.project.branch("topic/made")
    request = scene.delivered("create")

    event = a_forge().parse_delivery(request.headers, request.body).event

    sha = scene.project.branch_sha("main")
    repository = {"repository_id": str(scene.project.id), "repository": scene.project.full_name}
    assert event == BranchEvent(**repository, branch="topic/made", sha=sha, what="create")


def test_a_tag_concerns_nobody(scene: Scene) -> None:
    """It is understood and ignored."""
    scene.project.call("POST", "/tags", json={"tag_name": "v1", "target": "main"})
    for kind in ("create", "push"):
        request = scene.receiver.wait(lambda r, kind=kind: r.headers["x-gitea-event-type"] == kind)
        assert isinstance(a_forge().parse_delivery(request.headers, request.body).event, IgnoredEvent)


def test_a_form_is_verified_over_its_payload(scene: Scene) -> None:
    """The hook may send a form; its signature is over the JSON inside, with every kind of letter in it."""
    with receiving() as receiver:
        scene.project.hook(receiver.url, secret=SECRET, content_type="form")
        scene.project.edit(scene.pull, title="Zoë & co: 100% +~*'()/?=é\u2028😀")
        request = receiver.wait(lambda r: r.headers["x-gitea-event-type"] == "pull_request")

    event = a_forge().parse_delivery(request.headers, request.body).event

    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert isinstance(event, ChangeEvent)
    assert (event.key, event.what) == (scene.key, "pull_request.edited")
    for position in range(0, len(request.body), 29):
        flipped = bytearray(request.body)
        flipped[position] ^= 1
        assert refusal_of(request.headers, bytes(flipped)) is Refusal.SIGNATURE_WRONG


def test_one_flipped_bit_anywhere_is_refused(scene: Scene) -> None:
    """Every bit of the signature, and every byte of the body in one of its bits."""
    scene.project.status(scene.head(), "ci/test", "success")
    request = scene.delivered("status")
    signature = request.headers["x-gitea-signature"]

    for position in range(len(signature)):
        for bit in range(7):
            changed = signature[:position] + chr(ord(signature[position]) ^ (1 << bit)) + signature[position + 1 :]
            assert refusal_of({**request.headers, "x-gitea-signature": changed}, request.body) is Refusal.SIGNATURE_WRONG
    for position in range(len(request.body)):
        flipped = bytearray(request.body)
        flipped[position] ^= 1 << (position % 8)
        assert refusal_of(request.headers, bytes(flipped)) is Refusal.SIGNATURE_WRONG
    assert refusal_of(request.headers, request.body + b"\n") is Refusal.SIGNATURE_WRONG


def test_a_hook_without_a_secret_is_refused(scene: Scene) -> None:
    """Gitea then sends an empty signature, and GitHub's header with nothing behind `sha256=`."""
    with receiving() as receiver:
        scene.project.hook(receiver.url, secret="")
        scene.project.edit(scene.pull, title="unsigned")
        request = receiver.wait(lambda r: r.headers["x-gitea-event-type"] == "pull_request")

    assert (request.headers["x-gitea-signature"], request.headers["x-hub-signature-256"]) == ("", "sha256=")
    assert refusal_of(request.headers, request.body) is Refusal.SIGNATURE_MISSING


def test_only_configured_secrets_are_trusted(scene: Scene) -> None:
    """Several while rotating; none means that nothing is."""
    scene.project.edit(scene.pull, title="signed")
    request = scene.delivered("pull_request")

    assert a_forge(("newer", SECRET)).parse_delivery(request.headers, request.body).event
    assert refusal_of(request.headers, request.body, ("other",)) is Refusal.SIGNATURE_WRONG
    for nothing in ((), ("",)):
        assert refusal_of(request.headers, request.body, nothing) is Refusal.SIGNATURE_MISSING


def test_deliveries_come_from_a_server_as_it_is_installed() -> None:
    """With Gitea's own queue, which sleeps while idle, they come later, and are the same."""
    with running_gitea(queue="level") as gitea, receiving() as receiver:
        project = gitea.repository(gitea.user("ana"), "web")
        project.hook(receiver.url, secret=SECRET)
        project.write({"a.txt": "a\n"}, branch="feature")
        pull = project.open_pull("feature")
        request = receiver.wait(lambda r: r.headers["x-gitea-event-type"] == "pull_request")

    event = a_forge().parse_delivery(request.headers, request.body).event

    assert isinstance(event, ChangeEvent)
    assert (event.key, event.what) == (ChangeKey(repository="ana/web", number=pull.number), "pull_request.opened")


def refusal_of(headers: dict[str, str], body: bytes, secrets: tuple[str, ...] = (SECRET,)) -> Refusal:
    with pytest.raises(DeliveryRefused) as refused:
        a_forge(secrets).parse_delivery(headers, body)
    assert SECRET not in str(refused.value)
    return refused.value.refusal
