"""A whole gateway on a loopback GitHub: deliveries in, decisions recorded, statuses or check runs out."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from policies import Outcome
from providers.vcs import ChangeKey
from providers.vcs.github import AccessToken, App, GithubForge
from providers.vcs.github.rights import EVENTS
from tests.e2e.process import PATIENCE
from tests.integration.gateway.house import SECRET, House, a_bundle_folder, a_house
from tests.servers.faulty_proxy import Request, faulty_proxy
from tests.servers.github import GithubServer, running_github
from tests.servers.github.rest_commits import add_run
from tests.servers.github.state import Identity
from tests.servers.github_payloads import github_headers, published_examples

pytestmark = pytest.mark.anyio

_NUMBERS = itertools.count(1)
APP_RIGHTS = {"checks": "write", "contents": "write", "metadata": "read", "pull_requests": "write", "statuses": "read"}
PLACED = """package merge.label

deny contains {"msg": "*no* label, @acme", "remedy": "add one", "location": {"path": sprintf("%d.txt", [n]), "line": 1}} if {
	some n in numbers.range(0, 119)
	count(input.change.labels) == 0
}
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def github() -> Iterator[GithubServer]:
    with running_github() as github:
        yield github


class Scene:
    """One repository with one open change on it."""

    def __init__(self, house: House, github: GithubServer) -> None:
        self.house, self.github = house, github
        self.repository = github.forge.create_repository(f"acme/gated-{next(_NUMBERS)}").name
        self.key, self.sha = self.change("feature")

    def change(self, branch: str) -> tuple[ChangeKey, str]:
        sha = self.github.forge.push(self.repository, branch, {f"{branch}.txt": "a\n"})
        return self.github.forge.open_change(self.repository, head=branch), sha

    async def tell(self, event: str, **payload: Any) -> None:
        """Deliver, as GitHub would."""
        stored = self.github.forge.world.repository(self.repository)
        body = json.dumps({"repository": {"id": int(stored.id), "full_name": stored.name}, **payload}).encode()
        headers = github_headers(event, body, SECRET, delivery=f"{event}-{next(_NUMBERS)}")
        answer = await self.house.client.post("/webhooks/work", content=body, headers=headers)
        assert answer.status_code == 202, answer.text

    async def tell_of(self, key: ChangeKey, action: str) -> None:
        change = self.github.forge.world.change(key)
        moment = change.updated_at.strftime("%Y-%m-%dT%H:%M:%SZ")
        pull = {"number": key.number, "head": {"sha": change.head_sha}, "updated_at": moment}
        await self.tell("pull_request", action=action, pull_request=pull)

    def status(self, sha: str, context: str = "admit/main") -> Any:
        return self.github.forge.world.repository(self.repository).statuses.get(sha, {}).get(context)

    def runs(self, sha: str) -> list[Any]:
        return [run for run in self.github.state.of(self.repository).runs if run["head_sha"] == sha and run["name"] == "admit/main"]

    async def until(self, is_it: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not is_it():
                await asyncio.sleep(0.02)

    async def turned(self, sha: str, state: str) -> None:
        await self.until(lambda: (found := self.status(sha)) is not None and found.state == state)


@asynccontextmanager
async def a_scene(folder: Path, github: GithubServer, credentials: AccessToken | App, **more: Any) -> AsyncIterator[Scene]:
    forge = GithubForge(connection="work", url=github.url, credentials=credentials, webhook_secrets=[SECRET], timeout=240)
    async with a_house(folder, forge=forge, **more) as house:
        yield Scene(house, github)
    assert not github.violations, "\n".join(github.violations[:5])


async def test_no_published_delivery_is_an_error(tmp_path: Path, github: GithubServer) -> None:
    """Each of the 329 is acknowledged, whatever it is about."""
    async with a_scene(tmp_path, github, AccessToken(token=github.token("admit"))) as scene:
        told: Counter[int] = Counter()
        for example in published_examples():
            answer = await scene.house.client.post("/webhooks/work", content=example.body, headers=example.headers(SECRET))
            told[answer.status_code] += 1

    assert told == Counter({202: 329})


async def test_a_change_is_denied_until_it_has_what_the_policy_asks(tmp_path: Path, github: GithubServer) -> None:
    """The status says what is missing, leads to the decision, and turns; a forged one is replaced."""
    async with a_scene(tmp_path, github, AccessToken(token=github.token("admit"))) as scene:
        await scene.tell_of(scene.key, "opened")
        await scene.turned(scene.sha, "failure")
        denied = scene.status(scene.sha)
        assert "no label" in denied.description
        assert "/decisions/" in denied.target_url

        github.forge.post_status(scene.repository, scene.sha, "admit/main", "success", by="mallory")
        await scene.tell("status", sha=scene.sha, context="admit/main", state="success")
        await scene.until(lambda: scene.status(scene.sha).by == "admit")
        assert scene.status(scene.sha).state == "failure"

        github.forge.label(scene.key, "ready")
        await scene.tell_of(scene.key, "labeled")
        await scene.turned(scene.sha, "success")


async def test_an_app_reports_check_runs_with_their_reasons(tmp_path: Path, github: GithubServer) -> None:
    """Never a status beside them; 120 places are annotated, fifty at a time; the button has it judged again."""
    app, key = github.app("gate", permissions=APP_RIGHTS, events=list(EVENTS))
    bundle = a_bundle_folder(tmp_path, PLACED)
    async with a_scene(tmp_path, github, App(app_id=str(app.id), private_key=key), bundle=bundle) as scene:
        await scene.tell_of(scene.key, "opened")
        await scene.until(lambda: (runs := scene.runs(scene.sha)) and len(runs[0]["_annotations"]) == 120)
        run = scene.runs(scene.sha)[0]
        assert (run["status"], run["conclusion"], scene.status(scene.sha)) == ("completed", "failure", None)
        assert r"\*no\* label, &#64;acme" in run["output"]["summary"]
        assert {(one["path"], one["start_line"]) for one in run["_annotations"]} == {(f"{number}.txt", 1) for number in range(120)}
        assert [action["identifier"] for action in run["_actions"]] == ["judge-again"]

        github.forge.label(scene.key, "ready")  # told by nothing but the button
        pressed = {"action": "requested_action", "requested_action": {"identifier": "judge-again"}}
        await scene.tell("check_run", **pressed, check_run={"name": "admit/main", "head_sha": scene.sha})
        await scene.until(lambda: scene.runs(scene.sha)[-1]["conclusion"] == "success")

        github.forge.label(scene.key)
        await scene.tell("check_run", action="rerequested", check_run={"name": "admit/main", "head_sha": scene.sha})
        await scene.until(lambda: scene.runs(scene.sha)[-1]["conclusion"] == "failure")


async def test_a_check_of_somebody_elses_app_under_our_name_is_replaced(tmp_path: Path, github: GithubServer) -> None:
    """By a newer run of ours that says what was decided."""
    app, key = github.app("gate", permissions=APP_RIGHTS, events=list(EVENTS))
    async with a_scene(tmp_path, github, App(app_id=str(app.id), private_key=key)) as scene:
        await scene.tell_of(scene.key, "opened")
        await scene.until(lambda: (runs := scene.runs(scene.sha)) and runs[-1]["conclusion"] == "failure")
        forged = {"name": "admit/main", "head_sha": scene.sha, "conclusion": "success"}
        add_run(github.state, scene.repository, Identity(login="other[bot]", app_id=99), forged)
        run = {"name": "admit/main", "head_sha": scene.sha, "status": "completed", "conclusion": "success"}
        await scene.tell("check_run", action="completed", check_run=run)
        await scene.until(lambda: scene.runs(scene.sha)[-1]["app"]["slug"] == "gate")
        assert scene.runs(scene.sha)[-1]["conclusion"] == "failure"


async def test_a_merge_group_is_as_its_worst_member(tmp_path: Path, github: GithubServer) -> None:
    """Denied with one that is denied, admitted when all are; the status is on the commit the queue made."""
    async with a_scene(tmp_path, github, AccessToken(token=github.token("admit"))) as scene:
        other, _ = scene.change("other")
        github.forge.label(scene.key, "ready")
        base = github.forge.world.repository(scene.repository).branches["main"]
        queue = f"gh-readonly-queue/main/pr-{other.number}-{base}"
        head = github.forge.push(scene.repository, queue, {"merged.txt": "m\n"})
        below = github.forge.push(scene.repository, f"gh-readonly-queue/main/pr-{scene.key.number}-{base}", {"merged.txt": "b\n"})
        entries = [
            {"headCommit": {"oid": below}, "baseCommit": {"oid": base}, "number": scene.key.number},
            {"headCommit": {"oid": head}, "baseCommit": {"oid": below}, "number": other.number},
        ]
        github.state.of(scene.repository).queues["main"] = entries
        group = {"head_sha": head, "base_sha": base, "base_ref": "refs/heads/main", "head_ref": f"refs/heads/{queue}"}

        await scene.tell("merge_group", action="checks_requested", merge_group=group)
        await scene.turned(head, "failure")

        github.forge.label(other, "ready")
        await scene.tell("merge_group", action="checks_requested", merge_group=group)
        await scene.turned(head, "success")
        outcomes = {(await scene.house.decided(key, lambda d: d.outcome is Outcome.ADMITTED)).outcome for key in (scene.key, other)}
        assert outcomes == {Outcome.ADMITTED}


async def test_a_group_whose_members_nobody_tells_is_an_error(tmp_path: Path, github: GithubServer) -> None:
    """Neither success nor silence: the queue would wait for its time-out."""
    async with a_scene(tmp_path, github, AccessToken(token=github.token("admit"))) as scene:
        group = {"head_sha": scene.sha, "base_sha": "b" * 40, "base_ref": "refs/heads/main", "head_ref": "refs/heads/gh-readonly-queue/x"}
        await scene.tell("merge_group", action="checks_requested", merge_group=group)
        await scene.turned(scene.sha, "error")
        assert "no merge queue" in scene.status(scene.sha).description


async def test_a_token_that_the_forge_sends_back_is_shown_nowhere(tmp_path: Path, github: GithubServer, capsys: Any) -> None:
    """Not in the record, on a page, in a status or in a log, though every error quotes it."""
    token = github.token("admit")
    async with faulty_proxy(github.url) as proxy:
        forge = GithubForge(connection="work", url=proxy.url, credentials=AccessToken(token=token), webhook_secrets=[SECRET], timeout=240)
        async with a_house(tmp_path, forge=forge) as house:
            scene = Scene(house, github)

            def quoting(request: Request) -> httpx.Response | None:
                message = f"refused: {request.headers['authorization']}"
                return httpx.Response(403, json={"message": message}) if b"query Change" in request.body else None

            proxy.answer = quoting
            await scene.tell_of(scene.key, "opened")
            await scene.turned(scene.sha, "error")
            status = scene.status(scene.sha)
            decision = await house.decided(scene.key, lambda d: d.outcome is Outcome.UNDECIDED)
            shown = [await house.client.get(f"/decisions/{decision.id}"), await house.client.get("/")]
            shown += [await house.client.get(f"/v1/decisions/{decision.id}{part}") for part in ("", "/input")]

    assert [answer.status_code for answer in shown] == [200] * 4
    assert "refused: token ***" in shown[2].text
    told = "".join(answer.text for answer in shown) + str(status) + "".join(capsys.readouterr())
    assert token not in told


async def test_a_queue_that_lags_behind_its_event_is_waited_for(tmp_path: Path, github: GithubServer) -> None:
    """Pending until it tells of the group: a queue throws out what is in error."""
    async with a_scene(tmp_path, github, AccessToken(token=github.token("admit"))) as scene:
        github.forge.label(scene.key, "ready")
        base = github.forge.world.repository(scene.repository).branches["main"]
        queue = f"gh-readonly-queue/main/pr-{scene.key.number}-{base}"
        head = github.forge.push(scene.repository, queue, {"merged.txt": "m\n"})
        entries: list[Any] = []
        github.state.of(scene.repository).queues["main"] = entries
        group = {"head_sha": head, "base_sha": base, "base_ref": "refs/heads/main", "head_ref": f"refs/heads/{queue}"}

        await scene.tell("merge_group", action="checks_requested", merge_group=group)
        await scene.turned(head, "pending")
        entries.append({"headCommit": {"oid": head}, "baseCommit": {"oid": base}, "number": scene.key.number})
        await scene.turned(head, "success")
