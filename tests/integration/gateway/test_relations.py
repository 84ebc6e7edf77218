"""Changes judged with relationship checks of a real OpenFGA server: while it is there, while it is not, and ever after."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

import policies
from gateway.config import OAuthClient, OpenFgaServer, RelationsFile, RelationsServer, load_settings
from gateway.errors import ConfigurationWrong
from policies import Outcome, Reason
from tests.e2e.process import admit
from tests.integration.gateway.house import REPOSITORY, a_house
from tests.servers.openfga import running_openfga
from tests.servers.relay import relay_to

OWNER_APPROVAL = Path(policies.__file__).parent / "starters" / "owner-approval"
MODEL = {
    "schema_version": "1.1",
    "type_definitions": [
        {"type": "user"},
        {
            "type": "team",
            "relations": {"member": {"this": {}}},
            "metadata": {"relations": {"member": {"directly_related_user_types": [{"type": "user"}]}}},
        },
        {
            "type": "repository",
            "relations": {"owner": {"this": {}}},
            "metadata": {
                "relations": {"owner": {"directly_related_user_types": [{"type": "user"}, {"type": "team", "relation": "member"}]}}
            },
        },
    ],
}
EVERYBODY_OWNS = {
    **MODEL,
    "type_definitions": [
        {"type": "user"},
        {
            "type": "repository",
            "relations": {"owner": {"this": {}}},
            "metadata": {"relations": {"owner": {"directly_related_user_types": [{"type": "user"}, {"type": "user", "wildcard": {}}]}}},
        },
    ],
}
STORE_ID, MODEL_ID = "01ARZ3NDEKTSV4RRFFQ69G5FAV", "01ARZ3NDEKTSV4RRFFQ69G5FAW"


def test_owner_approval_waits_for_a_server_that_is_held_back_and_is_replayed_without_one(tmp_path):
    """Its no denies. Undecided while it does not answer, admitted by itself once it does, the same verdict when it is gone."""

    async def story(store, relay):
        server = OpenFgaServer(api_url=relay.url, store_id=store.id)
        async with a_house(tmp_path, bundle=OWNER_APPROVAL, relations=RelationsServer(openfga=server)) as house:
            ben = house.forge.account("ben").ref
            repository = f"repository:work/{house.forge.world.repository(REPOSITORY).id}"
            store.write(
                [
                    {"user": ben, "relation": "member", "object": "team:core"},
                    {"user": "team:core#member", "relation": "owner", "object": repository},
                ]
            )
            strangers = house.forge.open_change(REPOSITORY, head="other", files={"b": "1"}, by="ana")
            house.forge.approve(strangers, by="cleo")
            await house.deliver()
            denied = await house.decided(strangers, lambda d: bool(d.relations))
            assert denied.outcome is Outcome.DENIED
            assert [related for _, related in denied.relations] == [False]
            page = (await house.client.get(f"/decisions/{denied.id}")).text
            assert f"Now that is: {ben}" in page
            relay.hold()
            page = (await house.client.get(f"/decisions/{denied.id}")).text
            assert f"Who that is cannot be told now: the OpenFGA server {relay.url} " in page
            unsigned = (await house.client.get(f"/decisions/{denied.id}", headers={"Authorization": ""})).text
            assert "What stands against it" in unsigned
            assert "cannot be told now" not in unsigned
            key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, by="ana")
            house.forge.approve(key, by="ben")
            await house.deliver()
            undecided = await house.decided(key, lambda d: bool(d.verdict.faults))
            assert undecided.outcome is Outcome.UNDECIDED
            assert {fault.reason for fault in undecided.verdict.faults} == {Reason.RELATIONS_UNAVAILABLE}
            await house.turned(undecided.change.head_sha, "error")
            relay.release()
            admitted = await house.decided(key, lambda d: d.outcome is not Outcome.UNDECIDED)
            assert admitted.outcome is Outcome.ADMITTED
            assert [(asked.user, related) for asked, related in admitted.relations] == [(ben, True)]
            await house.turned(admitted.change.head_sha, "success")
            page = (await house.client.get(f"/decisions/{admitted.id}")).text
            assert (
                f"<li>team:core#member is owner of {REPOSITORY}, and member of team:core counts</li><li>ben is member of team:core</li>"
                in page
            )
            return admitted.id

    with running_openfga() as openfga, relay_to(openfga.url) as relay:
        decision = asyncio.run(story(openfga.store(MODEL), relay))
    (tmp_path / "admit.yaml").write_text("database: sqlite:///admit.db\n")
    done = admit("replay", decision, "--output", "json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [(one["id"], one["result"], one["outcome"]) for one in json.loads(done.stdout)] == [(decision, "same", "admitted")]


def test_changes_of_the_server_are_followed(tmp_path):
    """A tuple written and taken back there, and a model that answers otherwise, have open changes judged again; nobody told."""

    async def story(openfga, store):
        server = OpenFgaServer(api_url=openfga.url, store_id=store.id, follow_seconds=0.2)
        async with a_house(tmp_path, bundle=OWNER_APPROVAL, relations=RelationsServer(openfga=server)) as house:
            ben = house.forge.account("ben").ref
            owner = {"user": ben, "relation": "owner", "object": f"repository:work/{house.forge.world.repository(REPOSITORY).id}"}
            key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, by="ana")
            house.forge.approve(key, by="ben")
            await house.deliver()
            first = await house.decided(key, lambda d: d.outcome is Outcome.DENIED)
            assert first.relations_model == store.model_id
            store.write([owner])
            await house.decided(key, lambda d: d.outcome is Outcome.ADMITTED)
            store.write([owner], delete=True)
            await house.decided(key, lambda d: d.outcome is Outcome.DENIED)
            second = store.write_model(EVERYBODY_OWNS)
            store.write([{**owner, "user": "user:*"}])
            admitted = await house.decided(key, lambda d: d.outcome is Outcome.ADMITTED)
            assert admitted.relations_model == second

    with running_openfga() as openfga:
        asyncio.run(story(openfga, openfga.store(MODEL)))


def test_doctor_asks_the_server(tmp_path):
    """It names the store and the model that answer, or says that nobody does."""
    with running_openfga() as openfga:
        store = openfga.store(MODEL)
        relations = f"{{openfga: {{api_url: '{openfga.url}', store_id: {store.id}, deadline: 60}}}}"
        (tmp_path / "admit.yaml").write_text(f"database: sqlite:///admit.db\nrelations: {relations}\n")
        found = f"answered by OpenFGA at {openfga.url}, store {store.id}, its newest model, now {store.model_id}"
        assert f"ok      relations: {found}" in admit("doctor", cwd=tmp_path).stdout
    away = admit("doctor", cwd=tmp_path)
    assert away.returncode == 1
    assert "MISSING relations: the OpenFGA server" in away.stdout


def settings_of(folder, relations):
    """What the file's `relations` becomes."""
    (folder / "admit.yaml").write_text(f"relations: {relations}\n")
    return load_settings(folder / "admit.yaml").relations


def test_configuration_names_a_file_or_a_server(tmp_path, monkeypatch):
    """A file is beside the configuration; a server has its address, store, model and credentials, which are not shown."""
    monkeypatch.setenv("FGA_SECRET", "of-the-client")
    assert settings_of(tmp_path, "{file: people.yaml}") == RelationsFile(file=tmp_path / "people.yaml")
    plain = settings_of(tmp_path, f"{{openfga: {{api_url: 'https://fga.acme.internal/', store_id: {STORE_ID}, model_id: {MODEL_ID}}}}}")
    assert plain.openfga == OpenFgaServer(api_url="https://fga.acme.internal", store_id=STORE_ID, model_id=MODEL_ID)
    token = settings_of(tmp_path, f"{{openfga: {{api_url: 'http://fga', store_id: {STORE_ID}, token: 'env:FGA_SECRET'}}}}").openfga
    assert token.token.get_secret_value() == "of-the-client"
    client = "{client_id: gate, client_secret: 'env:FGA_SECRET', issuer: 'https://id.acme.internal', audience: fga, scopes: [read]}"
    known = settings_of(tmp_path, f"{{openfga: {{api_url: 'http://fga', store_id: {STORE_ID}, client_credentials: {client}}}}}").openfga
    assert isinstance(known.client_credentials, OAuthClient)
    assert known.client_credentials.client_secret.get_secret_value() == "of-the-client"
    assert "of-the-client" not in f"{token!r} {known!r}"


@pytest.mark.parametrize(
    ("relations", "says"),
    [
        ("{file: a.yaml, openfga: {api_url: 'http://fga', store_id: STORE}}", "relations: expected either file .* or openfga"),
        ("{}", "relations: expected either file .* or openfga"),
        ("{files: a.yaml}", "relations: expected either file .* or openfga"),
        ("{file: a.yaml, model: b}", r"relations\.model: "),
        ("{openfga: {api_url: 'http://fga', store_id: acme}}", r"relations\.openfga\.store_id: "),
        ("{openfga: {api_url: 'fga:8080', store_id: STORE}}", r"relations\.openfga\.api_url: "),
        ("{openfga: {api_url: 'http://gate:hunter2@fga', store_id: STORE}}", r"relations\.openfga\.api_url: "),
        ("{openfga: {store_id: STORE}}", r"relations\.openfga\.api_url: Field required"),
        (
            "{openfga: {api_url: 'http://fga', store_id: STORE, token: hunter2}}",
            r"relations\.openfga\.token: expected env:NAME or file:PATH",
        ),
        ("{openfga: {api_url: 'http://fga', store_id: STORE, model: x}}", r"relations\.openfga\.model: "),
        ("{openfga: {api_url: 'http://fga', store_id: STORE, deadline: 0}}", r"relations\.openfga\.deadline: "),
        (
            "{openfga: {api_url: 'http://fga', store_id: STORE, token: 'env:HOME', "
            "client_credentials: {client_id: a, client_secret: 'env:HOME', issuer: 'http://id'}}}",
            r"relations\.openfga: give token or client_credentials, not both",
        ),
        ("a.yaml", r"relations: "),
    ],
)
def test_wrong_configuration_is_named_by_its_key(tmp_path, relations, says):
    """What is two things at once, incomplete or misspelt; a secret in the file is not repeated."""
    with pytest.raises(ConfigurationWrong, match=says) as refusal:
        settings_of(tmp_path, relations.replace("STORE", STORE_ID))
    assert "hunter2" not in str(refusal.value)


def test_installation_without_the_extra_says_what_to_install():
    """In a process that cannot import OpenFGA's SDK; relations from nowhere are built there all the same."""
    program = f"""
import sys
sys.modules["openfga_sdk"] = None
from gateway.config import OpenFgaServer, RelationsServer
from gateway.errors import ConfigurationWrong
from gateway.wiring import build_relations
build_relations(None)
try:
    build_relations(RelationsServer(openfga=OpenFgaServer(api_url="http://127.0.0.1:1", store_id="{STORE_ID}")))
except ConfigurationWrong as problem:
    print(problem, "|", problem.advice)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout.strip() == "relations.openfga: OpenFGA's SDK is not installed | run: pip install 'admittance[openfga]'"
