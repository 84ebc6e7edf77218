"""Code owners in the decision: read at the target's tip, resolved by what was synchronised, asked anew when either moves."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

import policies
from gateway.config import OpenFgaServer, RelationsServer
from gateway.operations.evidence import ReadEvidence
from gateway.operations.replay import Replay, Same
from policies import Outcome
from policies.bundles.archive import packed
from policies.bundles.directory import read_folder
from policies.relations.starter import starter_text
from providers.vcs import Role
from providers.vcs.memory import MemoryForge
from tests.contract.relations.on_a_server import a_store
from tests.e2e.process import PATIENCE
from tests.integration.gateway.house import REPOSITORY, SECRET, a_house
from tests.servers.openfga import session_openfga

pytestmark = pytest.mark.anyio

CODE_OWNERS = Path(policies.__file__).parent / "starters" / "code-owners"
FILE = ".github/CODEOWNERS"


@pytest.fixture
def anyio_backend():
    return "asyncio"


def acme(text):
    """A team that looks after the documents, and somebody who looks after the sources."""
    forge = MemoryForge(connection="work", webhook_secrets=(SECRET,))
    forge.create_organization("acme", owners=("olga",))
    forge.create_repository(REPOSITORY, {FILE: text})
    forge.join_team("acme", "docs", "ben")
    forge.grant_team(REPOSITORY, "docs", Role.WRITER)
    forge.grant(REPOSITORY, "cleo", Role.WRITER)
    forge.outbox()
    return forge


async def synchronised(house):
    """Until names of the forge are known."""
    store = house.gateway.services.own_relations.store
    async with asyncio.timeout(PATIENCE):
        while set(await store.named("work", ["acme/docs", "ben", "cleo"])) != {"acme/docs", "ben", "cleo"}:
            await asyncio.sleep(0.02)


async def replayed(house, decision):
    """Computed again from the record alone."""
    services = house.gateway.services
    evidence = ReadEvidence(storage=services.storage, in_force=services.in_force)
    return await Replay(evidence=evidence, engine=house.gateway.engine)(decision)


async def facts_of(house, decision):
    return json.loads(await house.gateway.services.storage.blob(decision.input_digest))


async def test_each_path_needs_its_owners_and_the_page_tells_who_they_are(tmp_path):
    """Denied until both have approved; a replay needs neither forge nor file; who leaves the team takes the approval along."""
    async with a_house(tmp_path, bundle=CODE_OWNERS, forge=acme("docs/ @acme/docs\n*.py @cleo\n"), sync_seconds=3600) as house:
        await synchronised(house)
        key = house.forge.open_change(REPOSITORY, head="work", files={"docs/a.md": "1", "src/a.py": "1", "free": "1"}, by="ana")
        await house.deliver()
        denied = await house.decided(key, lambda d: d.outcome is Outcome.DENIED)
        assert [violation.message for violation in denied.verdict.violations] == [
            "docs/a.md: 0 of 1 needed approvals by the code owners of docs/",
            "src/a.py: 0 of 1 needed approvals by the code owners of *.py",
        ]
        assert denied.verdict.warnings == ()
        tried = await house.client.post("/v1/admissions?dry_run=true", json={"change": {"url": denied.change.url}})
        assert [violation["message"] for violation in tried.json()["violations"]] == [found.message for found in denied.verdict.violations]
        page = (await house.client.get(f"/decisions/{denied.id}")).text
        assert "Now that is: ben<" in page
        assert "Now that is: cleo<" in page
        assert "Now that is" not in (await house.client.get(f"/decisions/{denied.id}", headers={"Authorization": ""})).text
        house.forge.approve(key, by="ben")
        house.forge.approve(key, by="cleo")
        await house.deliver()
        admitted = await house.decided(key, lambda d: d.outcome is Outcome.ADMITTED)
        page = (await house.client.get(f"/decisions/{admitted.id}")).text
        assert "and member of acme/docs counts" in page
        assert [await replayed(house, decision) for decision in (denied, admitted)] == [Same(), Same()]
        house.forge.leave_team("acme", "docs", "ben")
        await house.deliver()
        await house.decided(key, lambda d: d.outcome is Outcome.DENIED)


async def test_moved_file_has_open_changes_judged_by_the_new_owners(tmp_path):
    """The text at the tip of the target counts, never the change's own; the commit it was read at is on record."""
    async with a_house(tmp_path, bundle=CODE_OWNERS, forge=acme("* @cleo\n"), sync_seconds=3600) as house:
        await synchronised(house)
        key = house.forge.open_change(REPOSITORY, head="work", files={"a.py": "1", FILE: "# nobody\n"}, by="ana")
        house.forge.approve(key, by="cleo")
        await house.deliver()
        admitted = await house.decided(key, lambda d: d.outcome is Outcome.ADMITTED)
        tip = house.forge.push(REPOSITORY, "main", {FILE: "* @acme/docs\n"}, by="olga")
        await house.deliver()
        denied = await house.decided(key, lambda d: d.outcome is Outcome.DENIED)
        read = (await facts_of(house, denied))["code_owners"]
        assert (read["commit"], read["file"]) == (tip, FILE)
        assert read["digest"] != (await facts_of(house, admitted))["code_owners"]["digest"]
        house.forge.push(REPOSITORY, "main", {FILE: None}, by="olga")
        await house.deliver()
        free = await house.decided(key, lambda d: d.outcome is Outcome.ADMITTED)
        assert (await facts_of(house, free))["code_owners"]["file"] is None


async def test_line_that_names_nobody_is_told_on_the_change_and_counts_as_nobody(tmp_path):
    """It blocks nothing by itself, but no approval of its path is enough; a file that cannot be read decides nothing."""
    text = "*.py @cleo\n[ab].py @cleo\ndocs/ @acme/dosc\n*.cfg cleo\n"
    async with a_house(tmp_path, bundle=CODE_OWNERS, forge=acme(text), sync_seconds=3600) as house:
        await synchronised(house)
        fine = house.forge.open_change(REPOSITORY, head="fine", files={"a.py": "1"}, by="ana")
        house.forge.approve(fine, by="cleo")
        lost = house.forge.open_change(REPOSITORY, head="lost", files={"docs/a": "1", "x.cfg": "1"}, by="ana")
        house.forge.approve(lost, by="cleo")
        await house.deliver()
        admitted = await house.decided(fine, lambda d: d.outcome is Outcome.ADMITTED)
        syntax = [
            f"{FILE}:2:1: expected a pattern, found '[': GitHub has no character ranges here; it counts as nobody",
            f"{FILE}:4:7: expected an owner, found 'cleo'; it counts as nobody",
        ]
        assert [warning.message for warning in admitted.verdict.warnings] == syntax
        assert f"{FILE}:2:1: expected a pattern" in (await house.client.get(f"/decisions/{admitted.id}")).text
        assert await replayed(house, admitted) == Same()
        denied = await house.decided(lost, lambda d: d.outcome is Outcome.DENIED)
        assert [violation.remedy for violation in denied.verdict.violations] == [
            "line 3 of CODEOWNERS names nobody who is known here: correct it",
            "line 4 of CODEOWNERS names nobody who is known here: correct it",
        ]
        unknown = "expected an account, a team or an organisation that is known here, found '@acme/dosc'; it counts as nobody"
        assert f"{FILE}:3:7: {unknown}" in [warning.message for warning in denied.verdict.warnings]
        house.forge.weather.refusing("read_first")
        house.forge.push(REPOSITORY, "fine", {"a.py": "2"}, by="ana")
        await house.deliver()
        undecided = await house.decided(fine, lambda d: d.outcome is Outcome.UNDECIDED)
        assert undecided.verdict.faults[0].message.startswith("the facts could not be read: ")


async def test_owner_who_becomes_known_counts_without_anything_happening_to_the_change(tmp_path):
    """A team that CODEOWNERS named before it was there."""
    async with a_house(tmp_path, bundle=CODE_OWNERS, forge=acme("* @acme/new\n"), sync_seconds=3600) as house:
        await synchronised(house)
        key = house.forge.open_change(REPOSITORY, head="work", files={"a.py": "1"}, by="ana")
        house.forge.approve(key, by="dora")
        await house.deliver()
        await house.decided(key, lambda d: d.outcome is Outcome.DENIED and bool(d.relations))
        house.forge.join_team("acme", "new", "dora")
        await house.deliver()
        await house.decided(key, lambda d: d.outcome is Outcome.ADMITTED)


async def test_nothing_is_read_where_no_policy_asks(tmp_path):
    """A forge whose files cannot be read is in nobody's way then."""
    forge = acme("* @cleo\n")
    forge.weather.refusing("read_first")
    async with a_house(tmp_path, forge=forge, sync_seconds=3600) as house:
        key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, by="ana", labels=("ready",))
        await house.deliver()
        admitted = await house.decided(key, lambda d: d.outcome is Outcome.ADMITTED)
        assert "code_owners" not in await facts_of(house, admitted)


async def test_where_a_server_keeps_relations_people_of_the_change_are_known(tmp_path):
    """By the starter model on a real OpenFGA, whose tuples say nothing of it; a team is told to be unknown."""
    store = a_store(starter_text())
    server = OpenFgaServer(api_url=session_openfga().url, store_id=store.id)
    forge = acme("* @acme/docs @cleo\n")
    async with a_house(tmp_path, bundle=CODE_OWNERS, forge=forge, relations=RelationsServer(openfga=server)) as house:
        key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, by="ana")
        house.forge.approve(key, by="ben")
        await house.deliver()
        denied = await house.decided(key, lambda d: bool(d.relations))
        assert [violation.message for violation in denied.verdict.violations] == ["a: 0 of 1 needed approvals by the code owners of *"]
        assert [warning.message.partition(", and")[0] for warning in denied.verdict.warnings] == [
            f"{FILE}:1:3: '@acme/docs' is not known: relations are kept elsewhere"
        ]
        house.forge.approve(key, by="cleo")
        await house.deliver()
        admitted = await house.decided(key, lambda d: d.outcome is Outcome.ADMITTED)
        assert await replayed(house, admitted) == Same()


async def test_bundle_that_asks_first_has_the_owners_read(tmp_path):
    """The stored facts of open changes lack them then, which is no reason against a change."""
    async with a_house(tmp_path, forge=acme("* @cleo\n"), sync_seconds=3600) as house:
        await synchronised(house)
        key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, by="ana", labels=("ready",))
        await house.deliver()
        await house.decided(key, lambda d: d.outcome is Outcome.ADMITTED)
        published = await house.client.put(
            "/v1/bundles/code-owners", content=packed(read_folder(CODE_OWNERS).files), headers={"Content-Type": "application/gzip"}
        )
        assert published.status_code == 201, published.text
        await house.decided(key, lambda d: d.outcome is Outcome.DENIED)
        reasons = {decision.verdict.reason for decision in await house.decisions(key) if decision.outcome is Outcome.DENIED}
        assert reasons == {"a: 0 of 1 needed approvals by the code owners of *"}


OWN = """package merge.own

import data.admit

questions contains admit.question(input.subject.ref, "owner", owned.object) if some owned in input.code_owners.paths

deny contains "the author is no code owner" if {
	some owned in input.code_owners.paths
	not admit.related(input.subject.ref, "owner", owned.object)
}
"""


async def test_own_policies_of_a_repository_may_ask_about_its_paths(tmp_path):
    """And about no other's."""
    manifest = "name: own\npolicies:\n  - package: merge.own\n    match: {action: merge}\n"
    forge = acme("*.py @cleo\n")
    forge.push(REPOSITORY, "main", {".admit/bundle.yaml": manifest, ".admit/own.rego": OWN}, by="olga")
    forge.outbox()
    async with a_house(tmp_path, forge=forge, sync_seconds=3600) as house:
        await synchronised(house)
        keys = [
            house.forge.open_change(REPOSITORY, head=f"by-{login}", files={"a.py": login}, by=login, labels=("ready",))
            for login in ("cleo", "ana")
        ]
        await house.deliver()
        await house.decided(keys[0], lambda d: d.outcome is Outcome.ADMITTED)
        await house.decided(keys[1], lambda d: d.verdict.reason == "the author is no code owner")
        elsewhere = OWN.replace("owned.object)", '"path:work/999/x")')
        house.forge.push(REPOSITORY, "main", {".admit/own.rego": elsewhere}, by="olga")
        await house.deliver()
        undecided = await house.decided(keys[0], lambda d: d.outcome is Outcome.UNDECIDED)
        assert "and its paths only, found a question about path:work/999/x" in undecided.verdict.reason
