"""A change is judged, merged, and only then may its commit be deployed: by the API, and by a command in a comment."""

from __future__ import annotations

import asyncio
from pathlib import Path

import policies
from gateway.config_workflows import WorkflowSettings
from policies import Outcome
from providers.targets.memory import MemoryTarget
from tests.e2e.process import PATIENCE, write_bundle
from tests.integration.gateway.house import REPOSITORY, a_house
from tests.integration.gateway.submitting import ANA, Yard

STARTER = Path(policies.__file__).parent / "starters" / "only-admitted-code"
LABELLED = 'package merge.label\n\ndeny contains "no label" if count(input.change.labels) == 0\n'
TRUSTED = """package deploy.trusted

deny contains {"msg": sprintf("%s may not deploy", [input.subject.login])} if not input.subject.login in {"ana", "dep"}
"""


def run(test):
    """Tests here are coroutines, each on a loop of its own."""
    return asyncio.run(test)


def deploy_house(folder):
    """One that judges merges by a label and deployments by the starter."""
    target = MemoryTarget("production", ["deploy"], automatic=True)
    rules = {
        "bundle.yaml": "name: acme\npolicies:\n  - {package: merge.label, match: {action: merge}}\n"
        "  - {package: deploy.trusted, match: {action: submit}}\n",
        "label.rego": LABELLED,
        "trusted.rego": TRUSTED,
    }
    workflows = (WorkflowSettings(name="deploy", targets=("production",)),)
    acme = write_bundle(folder / "acme", rules)
    return target, a_house(folder, bundle=acme, bundles=(acme, STARTER), targets={"production": target}, workflows=workflows)


async def deploy(house, sha, **source):
    headers = await Yard(house, None).person(ANA)
    body = {"workflow": "deploy", "source": {"repository": REPOSITORY, "ref": "main", "sha": sha, **source}}
    answer = await house.client.post("/v1/submissions", json=body, headers=headers)
    reasons = [violation["message"] for violation in answer.json().get("violations", [])]
    return answer.status_code, [reason for reason in reasons if "may not deploy" not in reason]


async def merged(house, key, *, by="ana"):
    """The commit its merge made, once the gateway knows of it."""
    sha = house.forge.merge_outside(key, by=by)
    await house.deliver()
    async with asyncio.timeout(PATIENCE):
        while not await house.gateway.services.storage.landings(REPOSITORY, sha):
            await asyncio.sleep(0.02)
    return sha


def test_a_commit_is_deployed_only_after_it_was_merged_through_the_gate(tmp_path):
    """Unknown, proposed, admitted: no. Merged: yes. And only that commit."""
    target, house_of_it = deploy_house(tmp_path)

    async def story():
        async with house_of_it as house:
            key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, by="zoe")
            head = (await house.forge.summary(key)).head_sha
            assert await deploy(house, head) == (403, [f"nothing is on record of commit {head[:10]} of {REPOSITORY}"])
            await house.deliver()
            await house.decided(key, lambda d: d.outcome is Outcome.DENIED)
            assert await deploy(house, head) == (403, [f"commit {head[:10]} has not been merged"])
            house.forge.label(key, "feature")
            await house.deliver()
            await house.decided(key, lambda d: d.outcome is Outcome.ADMITTED)
            assert await deploy(house, head) == (403, [f"commit {head[:10]} has not been merged"])
            assert target.runs == ()
            sha = await merged(house, key)
            assert await deploy(house, sha) == (403, [])  # the commit may be deployed, but not by everybody
            _, text = await house.gateway.services.tokens.create("dep", ["submitter"], by="test", actor="user:work/77")
            body = {"workflow": "deploy", "source": {"repository": REPOSITORY, "ref": "refs/heads/main", "sha": sha}}
            answer = await house.client.post("/v1/submissions", json=body, headers={"Authorization": f"Bearer {text}"})
            assert answer.status_code == 202, answer.text
            facts = await house.gateway.services.storage.blob(answer.json()["decision"]["input_digest"])
            assert b'"merged":"gate"' in facts
            assert (await Yard(house, target).ended(answer.json()["id"]))["state"] == "succeeded"
            assert len(target.runs) == 1

    run(story())


def test_a_commit_that_was_merged_past_the_gate_is_not_deployed(tmp_path):
    """However it is asked for."""
    target, house_of_it = deploy_house(tmp_path)

    async def story():
        async with house_of_it as house:
            key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, by="zoe")
            await house.deliver()
            await house.decided(key, lambda d: d.outcome is Outcome.DENIED)
            sha = await merged(house, key, by="mallory")
            assert await deploy(house, sha) == (403, [f"commit {sha[:10]} was merged past the gate"])
            assert await deploy(house, sha, connection="work") == (403, [f"commit {sha[:10]} was merged past the gate"])
            assert target.runs == ()

    run(story())


def test_a_comment_deploys_what_it_stands_on_by_who_the_policy_allows(tmp_path):
    """Before the merge it is denied, after it admitted; a stranger's is denied; an edited one is not read."""
    target, house_of_it = deploy_house(tmp_path)

    async def submitted(house, count):
        async with asyncio.timeout(PATIENCE):
            while len(found := (await house.client.get("/v1/submissions")).json()["submissions"]) < count:
                await asyncio.sleep(0.02)
        return found

    async def story():
        async with house_of_it as house:
            key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, by="zoe", labels=["feature"])
            await house.deliver()
            await house.decided(key, lambda d: d.outcome is Outcome.ADMITTED)
            house.forge.comment(key, "/run deploy env=prod", by="ana")
            await house.deliver()
            (early,) = await submitted(house, 1)
            assert (early["state"], early["subject"]["login"], early["via"]) == ("denied", "ana", f"{REPOSITORY}#{key.number}")
            await merged(house, key)
            house.forge.comment(key, "/run deploy env=prod", by="mallory")
            await house.deliver()
            assert (await submitted(house, 2))[0]["state"] == "denied"
            house.forge.comment(key, "well done\n/run deploy env=prod n=3", by="ana")
            house.forge.comment(key, "thanks", by="zoe")
            await house.deliver()
            latest = (await submitted(house, 3))[0]
            assert latest["subject"]["login"] == "ana"
            assert (await Yard(house, target).ended(latest["id"]))["state"] == "succeeded"
            assert [run.input for run in target.runs] == [{"env": "prod", "n": 3}]
            assert len((await house.client.get("/v1/submissions")).json()["submissions"]) == 3

    run(story())
