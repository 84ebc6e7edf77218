"""Who belongs to what, brought from the forge: at start, at once by webhooks, healed by a full pass, beside what people wrote."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import policies
from policies import Outcome
from providers.vcs import Role
from providers.vcs.memory import MemoryForge
from tests.e2e.process import PATIENCE
from tests.integration.gateway.house import REPOSITORY, SECRET, a_house
from tests.integration.gateway.test_own_relations import ask, one, write

pytestmark = pytest.mark.anyio

OWNER_APPROVAL = Path(policies.__file__).parent / "starters" / "owner-approval"


@pytest.fixture
def anyio_backend():
    return "asyncio"


def acme():
    """An organisation with a team that maintains the repository, and an owner who is in no team."""
    forge = MemoryForge(connection="work", webhook_secrets=(SECRET,))
    forge.create_organization("acme", owners=("olga",))
    forge.create_repository(REPOSITORY)
    forge.join_team("acme", "core", "ben")
    forge.grant_team(REPOSITORY, "core", Role.OWNER)
    forge.outbox()
    return forge


async def until_related(house, login, relation, object, *, allowed=True):
    user = house.forge.account(login).ref
    async with asyncio.timeout(PATIENCE):
        while (found := await ask(house, "check", user=user, relation=relation, object=object))["allowed"] is not allowed:
            await asyncio.sleep(0.02)
    return found


def the_repository(house):
    return f"repository:work/{house.forge.world.repository(REPOSITORY).id}"


async def held(house, **wanted):
    listed = (await house.client.get("/v1/relations/tuples", params=wanted)).json()["tuples"]
    return {(t["user"], t["relation"], t["object"]): t["sources"] for t in listed}


async def test_owners_by_way_of_their_team_and_organisation_may_approve(tmp_path):
    """Nobody wrote a tuple. A webhook about the team demotes at once what rested on it."""
    async with a_house(tmp_path, bundle=OWNER_APPROVAL, forge=acme(), sync_seconds=3600) as house:
        found = await until_related(house, "ben", "owner", the_repository(house))
        ben = house.forge.account("ben").ref
        assert found["path"][-1].startswith(f"{ben} is member of team:work/")
        await until_related(house, "olga", "owner", the_repository(house))
        key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, by="ana")
        house.forge.approve(key, by="ben")
        await house.deliver()
        admitted = await house.decided(key, lambda d: d.outcome is Outcome.ADMITTED)
        page = (await house.client.get(f"/decisions/{admitted.id}")).text
        assert "<li>acme/core#member is owner of acme/shop, and member of acme/core counts</li><li>ben is member of acme/core</li>" in page
        house.forge.leave_team("acme", "core", "ben")
        await house.deliver()
        denied = await house.decided(key, lambda d: d.outcome is Outcome.DENIED)
        assert "Now that is: olga" in (await house.client.get(f"/decisions/{denied.id}")).text
        for decision in (admitted, denied):
            stranger = (await house.client.get(f"/decisions/{decision.id}", headers={"Authorization": ""})).text
            assert [part for part in ("Now that is", "olga", "ben is member") if part in stranger] == []
        house.forge.grant(REPOSITORY, "ben", Role.OWNER)
        await house.deliver()
        await house.decided(key, lambda d: d.outcome is Outcome.ADMITTED)


async def test_full_pass_heals_what_no_webhook_told(tmp_path):
    """Deliveries that were lost, and a repository that went out of sight."""
    async with a_house(tmp_path, forge=acme(), sync_seconds=0.3) as house:
        await until_related(house, "ben", "owner", the_repository(house))
        house.forge.leave_team("acme", "core", "ben")
        house.forge.join_team("acme", "core", "cleo")
        house.forge.outbox()  # lost
        await until_related(house, "ben", "owner", the_repository(house), allowed=False)
        await until_related(house, "cleo", "owner", the_repository(house))


async def test_late_webhook_brings_nothing_back(tmp_path):
    """It is a hint: what is so now is read from the forge, however old the delivery is."""
    forge = acme()
    forge.join_team("acme", "core", "cleo")
    late = forge.outbox()
    forge.leave_team("acme", "core", "cleo")
    forge.outbox()
    async with a_house(tmp_path, forge=forge, sync_seconds=3600) as house:
        await until_related(house, "ben", "owner", the_repository(house))
        for delivery in late:
            answer = await house.client.post("/webhooks/work", content=delivery.body, headers=delivery.headers)
            assert (answer.status_code, answer.json()["ignored"]) == (202, False)
        forge.join_team("acme", "core", "dora")
        await house.deliver()
        await until_related(house, "dora", "owner", the_repository(house))
        cleo = forge.account("cleo").ref
        assert not [key for key in await held(house, user=cleo) if key[1] == "member" and key[2].startswith("team:")]


async def test_synchronisation_leaves_what_a_person_wrote(tmp_path):
    """Also where the forge says the same, and then says it no more."""
    async with a_house(tmp_path, forge=acme(), sync_seconds=3600) as house:
        await until_related(house, "ben", "owner", the_repository(house))
        ben, eve = house.forge.account("ben").ref, house.forge.account("eve").ref
        (team,) = [key[2] for key in await held(house, user=ben) if key[2].startswith("team:")]
        await write(house, one(ben, "member", team), one(eve, "member", team))
        house.forge.leave_team("acme", "core", "ben")
        house.forge.join_team("acme", "core", "fay")
        await house.deliver()
        await until_related(house, "fay", "owner", the_repository(house))
        assert {sources[0] for key, sources in (await held(house, object=team, relation="member")).items() if key[0] in (ben, eve)} == {
            "person:admit.yaml:0"
        }
        gone = await house.client.post("/v1/relations/tuples", json={"deletes": [one(house.forge.account("fay").ref, "member", team)]})
        assert gone.status_code == 422
        assert "comes from sync:work/organization/" in gone.json()["detail"]
        assert "on the forge" in gone.json()["advice"]


async def test_place_that_cannot_be_read_keeps_what_it_said(tmp_path):
    """Another place is levelled all the same; once it can be read again, so is it."""
    forge = acme()
    forge.create_repository("acme/other")
    forge.outbox()
    async with a_house(tmp_path, forge=forge, sync_seconds=0.3) as house:
        await until_related(house, "ben", "owner", the_repository(house))
        forge.weather.refusing("teams")
        forge.leave_team("acme", "core", "ben")
        forge.grant("acme/other", "gus", Role.WRITER)
        forge.outbox()
        await until_related(house, "gus", "writer", f"repository:work/{forge.world.repository('acme/other').id}")
        assert (await ask(house, "check", user=forge.account("ben").ref, relation="owner", object=the_repository(house)))["allowed"]
        forge.weather.clear()
        await until_related(house, "ben", "owner", the_repository(house), allowed=False)
