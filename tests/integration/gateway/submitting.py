"""A house where workflows can be submitted: a target in memory, people with tokens, relationships in a file."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.config import RelationsFile
from gateway.config_workflows import ApprovalSettings, WorkflowSettings
from policies.errors import RelationsUnavailable
from providers.targets.memory import MemoryTarget
from tests.e2e.process import PATIENCE, write_bundle
from tests.integration.gateway.house import a_house

POLICY = """package deploy.rules

deny contains {"msg": "nobody deploys to the moon", "remedy": "choose another place"} if input.workflow.input.place == "moon"

hold contains {
	"msg": "production waits for somebody else",
	"relation": "approver",
	"object": "environment:production",
	"count": object.get(input.workflow.input, "people", 1),
} if input.workflow.labels.environment == "production"
"""
MODEL = """
    model
      schema 1.1
    type user
      relations
        define person: [person]
        define same_person: account from person
    type person
      relations
        define account: [user]
    type environment
      relations
        define approver: [user]
"""
TUPLES = """
  - {user: "user:work/2", relation: approver, object: "environment:production"}
  - {user: "user:work/3", relation: approver, object: "environment:production"}
  - {user: "user:home/9", relation: approver, object: "environment:production"}
  - {user: "user:work/1", relation: approver, object: "environment:production"}
  - {user: "person:ana", relation: person, object: "user:work/1"}
  - {user: "user:home/9", relation: account, object: "person:ana"}
"""
SCHEMA = {
    "type": "object",
    "properties": {"place": {"type": "string"}, "people": {"type": "integer"}},
    "required": ["place"],
    "additionalProperties": False,
}
ANA, BEN, EVA, DAN, ANAS_OTHER = "user:work/1", "user:work/2", "user:work/3", "user:work/4", "user:home/9"


def relations_file(folder: Path, tuples: str = TUPLES) -> Path:
    """Ben, Eva and Ana under both her accounts approve production; Dan does not."""
    file = folder / "relations.fga.yaml"
    file.write_text(f"model: |{MODEL}\ntuples:{tuples}")
    return file


def submit_bundle(folder: Path, rego: str = POLICY) -> Path:
    """A bundle that judges workflows, and one rule for merges."""
    manifest = (
        "name: acme\npolicies:\n"
        "  - package: deploy.rules\n    match: {action: submit, workflows: [deploy]}\n"
        "  - package: merge.label\n    match: {action: merge}\n"
    )
    merging = 'package merge.label\n\ndeny contains "no label" if count(input.change.labels) == 0\n'
    return write_bundle(folder / "acme", {"bundle.yaml": manifest, "deploy.rego": rego, "merge.rego": merging})


class Weather:
    """Relations that can be away, and from which people can be taken: a wrapper of the real ones."""

    def __init__(self, inner):
        self.inner, self.away, self.gone = inner, False, set()

    async def answers(self, questions, *, at, **more):
        if self.away:
            raise RelationsUnavailable("told to be away")
        found = await self.inner.answers(questions, at=at, **more)
        return {question: related and question.user not in self.gone for question, related in found.items()}

    async def close(self):
        await self.inner.close()


class Yard:
    """The house, its target, and people who ask."""

    def __init__(self, house, target):
        self.house, self.target, self.client = house, target, house.client
        self._tokens = {}

    async def person(self, actor, *scopes):
        """Headers with a token of this account."""
        if (actor, scopes) not in self._tokens:
            tokens = self.house.gateway.services.tokens
            name = f"{actor.rpartition('/')[2]}-{secrets.token_hex(4)}"
            _, text = await tokens.create(name, list(scopes or ("submitter", "reader")), by="test", actor=actor)
            self._tokens[(actor, scopes)] = {"Authorization": f"Bearer {text}"}
        return self._tokens[(actor, scopes)]

    async def submit(self, *, by=ANA, key=None, place="earth", labels=None, **fields):
        """Ask for a deployment."""
        headers = {**await self.person(by), **({"Idempotency-Key": key} if key else {})}
        body = {"workflow": "deploy", "input": {"place": place}, "labels": labels or {}, **fields}
        return await self.client.post("/v1/submissions", json=body, headers=headers)

    async def held(self, **fields):
        """The id of one that waits for somebody else."""
        answer = await self.submit(labels={"environment": "production"}, **fields)
        assert (answer.status_code, answer.json()["state"]) == (202, "held"), answer.text
        return answer.json()["id"]

    async def say(self, word, id, *, by, reason=None):
        body = {"reason": reason} if reason else None
        return await self.client.post(f"/v1/submissions/{id}/{word}", json=body, headers=await self.person(by))

    async def show(self, id, **query):
        answer = await self.client.get(f"/v1/submissions/{id}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def decisions_of(self, id, count):
        """The submission, once it has been judged so often."""
        async with asyncio.timeout(PATIENCE):
            while len((now := await self.show(id))["decisions"]) < count:
                await asyncio.sleep(0.02)
        return now

    @property
    def relations(self):
        return self.house.gateway.services.submitting.give_word.relations

    def forget_approver(self, user):
        """They may no more."""
        self.relations.gone.add(user)

    def relations_away(self):
        self.relations.away = True

    def relations_back(self):
        self.relations.away = False

    async def ended(self, id):
        """The submission, waited for as a caller does who asks to be answered at its end."""
        async with asyncio.timeout(PATIENCE):
            while (now := await self.show(id, wait="60s"))["state"] in ("held", "admitted", "running"):
                pass
        return now

    async def becomes(self, id, *states):
        """The submission, once it is in one of these states."""
        async with asyncio.timeout(PATIENCE):
            while (now := await self.show(id))["state"] not in states:
                await asyncio.sleep(0.02)
        return now


@asynccontextmanager
async def a_yard(folder: Path, *, rego: str = POLICY, target=None, approvals=None, **more):
    """target: by default one whose runs go on by themselves. more: settings, and what `a_house` takes."""
    target = target or MemoryTarget("production", ["deploy", "other"], automatic=True)
    settings = {
        "bundle": submit_bundle(folder, rego),
        "relations": RelationsFile(file=relations_file(folder)),
        "workflows": (
            WorkflowSettings(name="deploy", targets=("production",), input=SCHEMA),
            WorkflowSettings(name="other", targets=("production",)),
        ),
        "approvals": approvals or ApprovalSettings(same_person="same_person"),
        **more,
    }
    async with a_house(folder, targets={"production": target}, **settings) as house:
        yield Yard(house, target)
