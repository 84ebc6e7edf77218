"""The gateway's own roles as relations: who may publish, override, steer and submit without the scope for it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

from gateway.config import OpenFgaServer, RelationsServer
from gateway.config_workflows import WorkflowSettings
from policies import Outcome
from providers.targets.memory import MemoryTarget
from providers.vcs.memory import MemoryForge
from tests.e2e.process import PATIENCE
from tests.integration.gateway.house import REPOSITORY, SECRET, a_house
from tests.integration.gateway.test_bundles import GZIP, STRICT, an_archive
from tests.integration.gateway.test_override import overridden, path_of
from tests.integration.gateway.test_workflows_seen import a_dead_letter

ACME = "{action: merge, connections: [work], repositories: ['acme/**']}"
BOTH = "{action: merge, connections: [work], repositories: ['acme/**', 'globex/**']}"
NOWHERE = RelationsServer(openfga=OpenFgaServer(api_url="http://127.0.0.1:9", store_id="01ARZ3NDEKTSV4RRFFQ69G5FAV", deadline=1.0))


class Hall:
    """A house with the organisations acme and globex, and people who are only readers."""

    def __init__(self, house, refs):
        self.house, self.client, self.refs = house, house.client, refs

    async def person(self, name):
        """Headers of a token whose holder is the account of that name."""
        actor = self.house.forge.account(name).ref
        _, text = await self.house.gateway.services.tokens.create(name, ["reader"], by="test", actor=actor)
        return actor, {"Authorization": f"Bearer {text}"}

    async def relate(self, user, relation, object):
        tuples = {"writes": [{"user": user, "relation": relation, "object": object}]}
        assert (await self.client.post("/v1/relations/tuples", json=tuples)).status_code == 200

    async def put(self, match, headers=None, name="team"):
        archive = an_archive(STRICT, name=name, match=match, revision=f"r{len(match)}")
        return await self.client.put(f"/v1/bundles/{name}", content=archive, headers={**GZIP, **(headers or {})})

    async def synchronised(self, object):
        """Until what the forge says of it is among the tuples."""
        async with asyncio.timeout(PATIENCE):
            while not (await self.client.get("/v1/relations/tuples", params={"object": object})).json()["tuples"]:
                await asyncio.sleep(0.02)

    async def events(self, what):
        found = (await self.client.get("/v1/audit")).json()["events"]
        return [event for event in found if event["what"] == what]


@asynccontextmanager
async def a_hall(folder, **settings):
    forge = MemoryForge(connection="work", webhook_secrets=(SECRET,))
    refs = {name: forge.create_organization(name).ref for name in ("acme", "globex")}
    forge.create_repository(REPOSITORY)
    forge.outbox()
    settings = {"workflows": (WorkflowSettings(name="deploy", targets=("production", "sandbox")),), **settings}
    targets = {name: MemoryTarget(name, ["deploy"], automatic=True) for name in ("production", "sandbox")}
    async with a_house(folder, forge=forge, targets=targets, **settings) as house:
        yield Hall(house, refs)


def detail(answer):
    return answer.status_code, answer.json()["detail"]


def test_a_publisher_of_an_organisation_publishes_and_steers_what_judges_for_it_alone(tmp_path):
    """Bundles by hand and rolled back, with whoever did it and by which right on record."""

    async def story():
        async with a_hall(tmp_path) as hall:
            ana, headers = await hall.person("ana")
            await hall.relate(ana, "publisher", hall.refs["acme"])
            assert (await hall.put(ACME, headers)).status_code == 201
            steered = "/v1/bundles/team"
            enforced = {"package": "merge.size", "enforcement": "warn"}
            assert (await hall.client.post(f"{steered}/enforcement", json=enforced, headers=headers)).status_code == 200
            assert (await hall.client.delete(steered, headers=headers)).status_code == 200
            back = {"revision": f"r{len(ACME)}"}
            assert (await hall.client.post(f"{steered}/activate", json=back, headers=headers)).status_code == 200
            for what in ("bundle.published", "policy.enforcement_set", "bundle.removed", "bundle.revision_activated"):
                (event,) = await hall.events(what)
                assert (event["who"], event["details"]["actor"]) == ("ana", ana)
                assert event["details"]["right"] == [f"publisher of {hall.refs['acme']}"]

    asyncio.run(story())


def test_what_judges_for_others_too_is_not_for_a_publisher_of_one(tmp_path):
    """Nor is what might, what they would take the place of, or what is no organisation's: each refused with why, and unchanged."""

    async def story():
        async with a_hall(tmp_path) as hall:
            (ana, headers), (_, stranger) = await hall.person("ana"), await hall.person("ben")
            await hall.relate(ana, "publisher", hall.refs["acme"])
            assert (await hall.put(BOTH)).status_code == 201
            before = (await hall.client.get("/v1/bundles")).json()
            may_not = "the token 'ana' may not publish or steer this bundle; it needs the scope author"
            both = f"{may_not}, or the relation publisher to {' and '.join(sorted(hall.refs.values()))}"
            open_ = "expected `NAME/…` in `repositories`, found '**'"
            refused = [
                (await hall.put(ACME, headers), both),
                (await hall.put(BOTH, headers, "mine"), both),
                (await hall.client.delete("/v1/bundles/team", headers=headers), both),
                (
                    await hall.put("{action: merge, connections: [work]}", headers, "mine"),
                    f"{may_not}, since its match leaves the organisation open: {open_}",
                ),
                (
                    await hall.put("{action: merge, repositories: ['acme/**']}", headers, "mine"),
                    f"{may_not}, since its match leaves the connection open: expected names in `connections`, found '*'",
                ),
                (
                    await hall.put("{action: submit}", headers, "mine"),
                    f"{may_not}, since one of its policies is about workflows, which are no organisation's",
                ),
                (
                    await hall.put(ACME.replace("acme", "nobody"), headers, "mine"),
                    f"{may_not}, since the connection 'work' tells of no organisation 'nobody': ",
                ),
                (
                    await hall.put(ACME, stranger, "mine"),
                    f"{may_not.replace('ana', 'ben')}, or the relation publisher to {hall.refs['acme']}",
                ),
            ]
            for answer, why in refused:
                assert answer.status_code == 403, answer.text
                assert answer.json()["detail"].startswith(why)
            assert (await hall.client.get("/v1/bundles")).json() == before

    asyncio.run(story())


def test_a_reviver_steers_the_work_on_repositories_of_the_organisation(tmp_path):
    """By the change's repository, whose organisation the forge told; not all at once, and nobody else."""

    async def story():
        async with a_hall(tmp_path) as hall:
            (ana, headers), (_, stranger) = await hall.person("ana"), await hall.person("ben")
            await hall.relate(ana, "reviver", hall.refs["acme"])
            decision = await a_dead_letter(hall.house)
            repository = decision.change.repository_ref
            await hall.synchronised(repository)
            id = (await hall.client.get("/v1/dead-letters")).json()["dead_letters"][0]["workflow_id"]
            may_not = "may not steer this; it needs the scope operator"
            refused = detail(await hall.client.post(f"/v1/dead-letters/{id}/revive", headers=stranger))
            assert refused == (403, f"the token 'ben' {may_not}, or the relation reviver to {repository}")
            every = detail(await hall.client.post("/v1/dead-letters/revive", headers=headers))
            assert every == (403, f"the token 'ana' {may_not}, since it is about all dead letters at once")
            other = detail(await hall.client.post("/v1/workflows/reconcile:work/cancel", headers=headers))
            assert other == (403, f"the token 'ana' {may_not}, since it is about no change and no submission that is known")
            assert await hall.events("dead_letter.revived") == []
            hall.house.forge.weather.clear()
            assert (await hall.client.post(f"/v1/dead-letters/{id}/revive", headers=headers)).status_code == 200
            await hall.house.turned(decision.change.head_sha, "success")
            judging = f"/v1/workflows/{decision.change.workflow_id}"
            assert (await hall.client.post(f"{judging}/cancel", headers=headers)).status_code == 200
            (event,) = await hall.events("dead_letter.revived")
            assert (event["who"], event["about"]) == ("ana", id)
            assert event["details"]["right"] == [f"reviver of {repository}"]

    asyncio.run(story())


def test_a_submitter_of_a_target_submits_there(tmp_path):
    """As themselves, who may end it too; not to another target; whoever revives its work has the target for it."""

    async def story():
        async with a_hall(tmp_path, bundle=None) as hall:
            assert (await hall.put("{action: submit}", name="team")).status_code == 201
            ana, headers = await hall.person("ana")
            await hall.relate(ana, "submitter", "target:production")

            async def submitted(**fields):
                return await hall.client.post("/v1/submissions", json={"workflow": "deploy", **fields}, headers=headers)

            answer = await submitted()
            assert answer.status_code == 202, answer.text
            assert answer.json()["subject"]["ref"] == ana
            refused = detail(await submitted(target="sandbox"))
            assert refused == (
                403,
                "the token 'ana' may not submit this; it needs the scope submitter, or the relation submitter to target:sandbox",
            )
            id = (await hall.client.get(f"/v1/submissions/{answer.json()['id']}", headers=headers)).json()["id"]
            async with asyncio.timeout(PATIENCE):
                while (await hall.client.get(f"/v1/workflows/submission:{id}")).status_code != 200:  # it has not begun
                    await asyncio.sleep(0.02)
            retried = await hall.client.post(f"/v1/workflows/submission:{id}/retry", headers=headers)
            assert detail(retried)[1].endswith("or the relation reviver to target:production")

    asyncio.run(story())


def test_relations_that_cannot_be_asked_are_no_right_and_keep_no_operator_from_acting(tmp_path):
    """503 for now, said with why, for each act; the scope asks nobody."""

    async def story():
        async with a_hall(tmp_path, relations=NOWHERE) as hall:
            _, headers = await hall.person("ana")
            assert (await hall.put(ACME)).status_code == 201  # before anything is judged: what comes into force is judged again
            decision = await a_dead_letter(hall.house)
            key = hall.house.forge.open_change(REPOSITORY, head="other", files={"b": "1"})
            await hall.house.deliver()
            await hall.house.decided(key, lambda d: d.outcome is Outcome.DENIED)
            letters = (await hall.client.get("/v1/dead-letters")).json()["dead_letters"]
            (id,) = [letter["workflow_id"] for letter in letters if decision.change.head_sha in letter["workflow_id"]]
            away = [
                ("publish or steer this bundle", await hall.put(ACME, headers)),
                ("publish or steer this bundle", await hall.client.delete("/v1/bundles/team", headers=headers)),
                ("override this", await overridden(hall.house, key, headers=headers)),
                ("steer this", await hall.client.post(f"/v1/dead-letters/{id}/revive", headers=headers)),
                ("submit this", await hall.client.post("/v1/submissions", json={"workflow": "deploy"}, headers=headers)),
            ]
            for act, answer in away:
                assert answer.status_code == 503, answer.text
                assert answer.json()["detail"].startswith(
                    f"whether the token 'ana' may {act} cannot be found out: the OpenFGA server http://127.0.0.1:9 "
                )
                assert answer.headers["Retry-After"]
            hall.house.forge.weather.clear()
            assert (await overridden(hall.house, key)).status_code == 201
            assert (await hall.client.delete(path_of(key))).status_code == 200
            assert (await hall.client.post(f"/v1/dead-letters/{id}/revive")).status_code == 200
            await hall.house.turned(decision.change.head_sha, "failure")
            assert (await hall.client.delete("/v1/bundles/team")).status_code == 200

    asyncio.run(story())
