"""What a real Gitea tells of a pull request, delivery by delivery: judged where somebody could notice, and judged always."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from policies.engines.opa_library import OpaLibrary
from providers.vcs import ChangeEvent, ChangeKey, Folder, StatusEvent
from providers.vcs.gitea import GiteaForge
from providers.vcs.leaving_out import without
from tests.integration.gateway.house import SECRET
from tests.integration.gateway.sides import Side, parts
from tests.servers.gitea import session_gitea
from tests.servers.receiver import receiving

STARTERS = Path(__file__).parents[3] / "policies" / "starters"
SETS = [
    ["change-size", "title-convention"],
    ["required-labels", "no-drafts"],
    ["required-checks", "unresolved-threads"],
    ["approvals", "signed-commits"],
]
SCRIPT = [
    ("pull_request_label", lambda scene: scene.project.label(scene.pull, "kind/bug")),
    ("pull_request_comment", lambda scene: scene.project.comment(scene.pull, "what is this?")),
    ("status", lambda scene: scene.project.status(scene.head(), "ci/test", "failure", by=scene.bob)),
    ("pull_request_assign", lambda scene: scene.project.call("PATCH", f"/issues/{scene.pull.number}", json={"assignees": ["bob"]})),
    ("pull_request", lambda scene: scene.project.edit(scene.pull, title="feat: add a")),
    ("pull_request_review_request", lambda scene: scene.project.request_review(scene.pull, scene.bob)),
    ("pull_request_review_approved", lambda scene: scene.project.review(scene.pull, by=scene.bob)),
    ("status", lambda scene: scene.project.status(scene.head(), "ci/test", "success", by=scene.bob)),
    ("pull_request_sync", lambda scene: scene.project.write({"a.txt": "aa\n"}, branch="feature")),
    ("pull_request_review_rejected", lambda scene: scene.project.review(scene.pull, by=scene.bob, event="REQUEST_CHANGES")),
    ("pull_request_label", lambda scene: scene.project.call("DELETE", f"/issues/{scene.pull.number}/labels")),
    ("pull_request", lambda scene: scene.project.edit(scene.pull, title="WIP: feat: add a")),
]


class Scene:
    """A pull request of ana's, and the hook its deliveries go to."""

    def __init__(self, gitea, receiver):
        self.receiver, self.bob = receiver, gitea.account("bob")
        self.project = gitea.fresh_repository(gitea.account("ana"))
        self.project.collaborator(self.bob)
        self.project.write({"a.txt": "a\n"}, branch="feature")
        self.pull = self.project.open_pull("feature", title="Add a")
        self.project.hook(receiver.url, secret=SECRET)
        self.key = ChangeKey(repository=self.project.full_name, number=self.pull.number)

    def head(self):
        return str(self.project.pull(self.pull)["head"]["sha"])

    def told(self, forge, kind):
        """The delivery of this kind, once it is here, and all that came with it, as far as they are about the change."""
        first = self.receiver.wait(lambda request: request.headers["x-gitea-event-type"] == kind)
        with self.receiver.changed:
            others, self.receiver.requests[:] = list(self.receiver.requests), []
        parsed = [forge.parse_delivery(request.headers, request.body) for request in (first, *others)]
        return [one for one in parsed if isinstance(one.event, StatusEvent) or getattr(one.event, "key", None) == self.key]


class AsRead:
    """The forge's facts as they were read once after each event, for everybody who judges by them."""

    connection = "work"
    change, asked = None, 0

    async def read_change(self, key, *, not_before=None, leave_out=frozenset()):
        self.asked += 1
        return without(self.change, leave_out)

    async def read_folder(self, repository, ref, path):
        return Folder(commit=ref)


async def follow(scene, forge, engine):
    """The story: how often each set of policies was judged, of how many times something happened."""
    sides = []
    for names in SETS:
        pair = Side(AsRead(), engine, skipping=True), Side(AsRead(), engine, skipping=False)
        for side in pair:
            await side.use([STARTERS / name for name in names])
        sides.append(pair)
    for kind, act in [(None, None), *SCRIPT]:
        deliveries = []
        if kind is not None:
            await asyncio.to_thread(act, scene)
            deliveries = await asyncio.to_thread(scene.told, forge, kind)
        hints = [one.event for one in deliveries if isinstance(one.event, ChangeEvent)]
        newest = max(hints, key=lambda event: event.updated_at, default=None)
        touches = None if not deliveries or None in [one.touches for one in deliveries] else set().union(*(d.touches for d in deliveries))
        change = await forge.read_change(scene.key, not_before=newest)
        for names, pair in zip(SETS, sides, strict=True):
            found = []
            for side in pair:
                side.forge.change = change
                found.append(await side.judge("work", scene.key, touches=None if touches is None else frozenset(touches)))
            assert parts(found[0]) == parts(found[1]), (kind, names)
    return [side.forge.asked for side, _ in sides]


@pytest.mark.timeout(300)
def test_what_gitea_tells_is_judged_where_it_could_be_noticed_as_it_is_judged_always():
    """Both come to the same verdict after every event, and each set of policies is spared some of them."""

    async def story(scene, gitea):
        forge = GiteaForge(connection="work", url=gitea.url, token=gitea.admin_token, webhook_secrets=(SECRET,), timeout=60)
        engine = OpaLibrary(compile_deadline=60.0, evaluation_deadline=60.0)
        try:
            return await follow(scene, forge, engine)
        finally:
            await engine.close()
            await forge.close()

    gitea = session_gitea()
    with receiving() as receiver:
        asked = asyncio.run(story(Scene(gitea, receiver), gitea))
    assert all(1 < times < len(SCRIPT) for times in asked), asked
