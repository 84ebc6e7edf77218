"""What GitHub says in the deliveries it publishes: judged where somebody could notice, and judged always.

Each tells what is done to a change on the forge in memory; which facts that can have altered is read from GitHub's own text.
"""

from __future__ import annotations

import asyncio

import pytest

from providers.vcs import ChangeEvent, StatusEvent
from providers.vcs.github.deliveries import parse_delivery
from tests.integration.gateway.house import REPOSITORY, SECRET
from tests.integration.gateway.sides import parts, two_sides
from tests.integration.gateway.test_unnoticed import SETS, STARTERS
from tests.servers.github_payloads import published_examples


def reports(forge, key, times):
    state = "success" if times % 2 else "failure"
    forge.post_status(REPOSITORY, forge.world.change(key).head_sha, "build", state, by="ci")


DONE = {
    "check_run.created": reports,
    "check_run.completed": reports,
    "status": reports,
    "pull_request.labeled": lambda forge, key, times: forge.label(key, "bug", "kind/feature"),
    "pull_request.unlabeled": lambda forge, key, times: forge.label(key),
    "pull_request.review_requested": lambda forge, key, times: forge.request_review(key, of="cleo"),
    "pull_request.converted_to_draft": lambda forge, key, times: forge.edit(key, draft=True),
    "pull_request.ready_for_review": lambda forge, key, times: forge.edit(key, draft=False),
    "pull_request.synchronize": lambda forge, key, times: forge.push(REPOSITORY, "work", {"b": str(times)}),
    "pull_request.reopened": lambda forge, key, times: forge.edit(key, title=f"feat: number {times}"),
    "pull_request_review.submitted": lambda forge, key, times: forge.approve(key, by="bob"),
    "pull_request_review.dismissed": lambda forge, key, times: forge.dismiss(key, of="bob"),
    "pull_request_review_comment.created": lambda forge, key, times: forge.discuss(key, "a", by="cleo"),
    "pull_request_review_thread.resolved": lambda forge, key, times: forge.discuss(key, "a", by="cleo", resolved=True),
}
"""By GitHub's words; whatever else they tell of does nothing to the facts."""


def told():
    """What the published deliveries say of changes: GitHub's words, and the facts touched."""
    for example in published_examples():
        parsed = parse_delivery(example.headers(SECRET), example.body, [SECRET])
        if isinstance(parsed.event, ChangeEvent | StatusEvent):
            yield f"{example.event}.{example.action}" if example.action else example.event, parsed.touches


@pytest.mark.parametrize("names", SETS.values(), ids=SETS)
def test_what_github_tells_is_judged_where_it_could_be_noticed_as_it_is_judged_always(names):
    """After every published delivery both sides say the same, and one of them has read the forge less often."""

    async def story():
        async with two_sides([STARTERS / name for name in names]) as (forge, skipping, always):
            key, skipped = forge.open_change(REPOSITORY, head="work", files={"a": "1"}, by="ana"), 0
            await skipping.judge("work", key)
            for times, (what, touches) in enumerate(events):
                DONE.get(what, lambda forge, key, times: None)(forge, key, times)
                before = forge.read
                mine = await skipping.judge("work", key, touches=touches)
                skipped += forge.read == before
                assert parts(mine) == parts(await always.judge("work", key)), (times, what)
            return skipped

    events = list(told())
    assert {what for what, _ in events} >= DONE.keys()
    assert 0 < asyncio.run(story()) < len(events)
