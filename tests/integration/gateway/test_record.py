"""The record as a whole: what is erased from it, what grows too old, and what leaves it as JSON lines."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from datetime import UTC, datetime, timedelta

import yaml

from gateway.config_record import Retention
from gateway.domain.chain import EMPTY, Entry, EntryKind, content_hash, next_seal
from gateway.domain.clock import utc_now
from gateway.operations.erase import RetireRecord
from gateway.storage.sql.packing import unpacked
from policies import Outcome
from policies.canonical import canonical
from tests.builders import a_change_document
from tests.e2e.process import PATIENCE, admit
from tests.integration.gateway.house import REPOSITORY, a_house, of_a_file


async def sealed_all(house, count):
    async with asyncio.timeout(PATIENCE):
        while (await house.gateway.services.sealed_record.head()).position < count:
            await asyncio.sleep(0.05)


def in_folder(tmp_path):
    (tmp_path / "admit.yaml").write_text(yaml.safe_dump({"database": "sqlite:///admit.db"}))


def test_a_persons_data_is_erased_and_the_record_stays_whole(tmp_path):
    """Facts and deliveries that name them; what rested on them says why it cannot be replayed; everybody else's stays."""

    async def story():
        async with a_house(tmp_path, relations=of_a_file(tmp_path)) as house:
            zoe = house.forge.account("zoe-the-unmistakable").ref
            hers = house.forge.open_change(REPOSITORY, head="hers", files={"a": "1"}, labels=["bug"], by="zoe-the-unmistakable")
            others = house.forge.open_change(REPOSITORY, head="others", files={"b": "1"}, labels=["bug"], by="ben")
            await house.deliver()
            one = await house.decided(hers, lambda d: d.outcome is Outcome.ADMITTED)
            other = await house.decided(others, lambda d: d.outcome is Outcome.ADMITTED)
            answer = await house.client.post("/v1/record/erase", json={"actor": zoe})
            assert answer.status_code == 202, answer.text
            done = await house.gateway.core.result(answer.json()["workflow"], timeout=PATIENCE)
            assert done.result >= 2, "the facts, and what the forge had delivered"
            gone = await house.client.get(f"/v1/decisions/{one.id}/input")
            assert (gone.status_code, "a person's data was erased" in gone.json()["detail"]) == (410, True)
            assert (await house.client.get(f"/decisions/{one.id}/input")).status_code == 410
            assert (await house.client.get(f"/v1/decisions/{one.id}")).status_code == 200
            assert (await house.client.get(f"/v1/decisions/{other.id}/input")).status_code == 200
            events = (await house.client.get("/v1/audit", params={"about": "record"})).json()["events"]
            assert {event["what"] for event in events} == {"person.erased"}
            assert zoe not in json.dumps(events), "the audit is never erased"
            assert (await house.client.post("/v1/record/erase", json={"actor": "zoe"})).status_code == 422
            await sealed_all(house, 3 + len(events))
            return one.id, other.id

    erased, other = asyncio.run(story())
    in_folder(tmp_path)
    whole = admit("log", "verify", cwd=tmp_path)
    assert (whole.returncode, "the record is whole" in whole.stdout) == (0, True), whole.stdout
    replayed = admit("replay", erased, other, "--output", "json", cwd=tmp_path)
    assert replayed.returncode == 2
    first, second = json.loads(replayed.stdout)
    assert first["result"] == "not_recomputable"
    assert "a person's data was erased" in first["why"]
    assert second["result"] == "same"
    with sqlite3.connect(tmp_path / "admit.db") as database:
        rows = database.execute("SELECT content, packing FROM blob").fetchall()
    kept = [bytes(content) if packing is None else unpacked(content) for content, packing in rows]
    assert not any(b"zoe-the-unmistakable" in content for content in kept)


def test_a_person_is_erased_from_the_command_line(tmp_path):
    """After a question; a second time there is nothing left."""

    async def story():
        async with a_house(tmp_path, relations=of_a_file(tmp_path)) as house:
            key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, labels=["bug"], by="ana")
            await house.deliver()
            await house.decided(key, lambda d: True)
            return house.forge.account("ana").ref

    ana = asyncio.run(story())
    in_folder(tmp_path)
    assert admit("log", "erase", ana, cwd=tmp_path, input="n\n").returncode == 1
    done = admit("log", "erase", ana, "--yes", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[0]) >= 2
    assert admit("log", "erase", ana, "--yes", cwd=tmp_path).stdout == "0 pieces erased\n"
    assert "expected user:CONNECTION/ID" in admit("log", "erase", "ana", "--yes", cwd=tmp_path).stderr


def test_what_is_older_than_the_configuration_keeps_is_dropped(tmp_path):
    """Facts that no open change needs, and deliveries; verification knows why they are gone."""

    async def story():
        async with a_house(tmp_path, relations=of_a_file(tmp_path)) as house:
            closed = house.forge.open_change(REPOSITORY, head="one", files={"a": "1"}, labels=["bug"])
            still_open = house.forge.open_change(REPOSITORY, head="two", files={"b": "1"}, labels=["bug"])
            await house.deliver()
            old = await house.decided(closed, lambda d: True)
            needed = await house.decided(still_open, lambda d: True)
            house.forge.close_change(closed)
            await house.deliver()
            await house.turned(old.change.head_sha, "pending")
            storage = house.gateway.services.storage
            later = RetireRecord(storage=storage, clock=lambda: utc_now() + timedelta(days=31), facts=30, deliveries=30)
            dropped = await later()
            assert dropped["facts"] == 1
            assert dropped["deliveries"] >= 3
            assert await later() == {"facts": 0, "deliveries": 0}
            gone = await house.client.get(f"/v1/decisions/{old.id}/input")
            assert (gone.status_code, "older than the configuration keeps it" in gone.json()["detail"]) == (410, True)
            assert (await house.client.get(f"/v1/decisions/{needed.id}/input")).status_code == 200
            assert [flaw async for flaw in house.gateway.services.sealed_record.flaws()] == []

    asyncio.run(story())


def test_retention_is_looked_after_by_a_workflow_where_it_is_configured(tmp_path):
    """It ran at the start, and waits for tomorrow."""

    async def story():
        async with a_house(tmp_path, retention=Retention(deliveries=30)) as house:
            async with asyncio.timeout(PATIENCE):
                while (await house.gateway.core.describe("retention")).wake_at is None:
                    await asyncio.sleep(0.05)
            found = await house.gateway.core.history("retention")
            assert any(event.attributes.get("result") == {"facts": 0, "deliveries": 0} for event in found)

    asyncio.run(story())


def test_the_record_leaves_as_json_lines_that_can_still_be_verified(tmp_path):
    """Over HTTP and from the command line alike; filters leave out, and nothing else does."""

    async def story():
        async with a_house(tmp_path, relations=of_a_file(tmp_path)) as house:
            key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, labels=["bug"])
            await house.deliver()
            await house.decided(key, lambda d: True)
            document = {"version": 1, "time": "2020-01-01T00:00:00Z", "change": a_change_document()}
            assert (await house.client.post("/v1/admissions", json=document)).json()["outcome"] == "denied"
            await sealed_all(house, 3)
            answer = await house.client.get("/v1/record/export")
            assert answer.headers["content-type"] == "application/x-ndjson"
            only = await house.client.get("/v1/record/export", params={"outcome": "denied", "input": "true"})
            (denied,) = map(json.loads, only.text.splitlines())
            assert denied["input"]["change"]["repository"]["name"] == document["change"]["repository"]["name"]
            for query in ({"since": "2020-01-01T00:00:00"}, {"kind": "x"}, {"after": "-1"}):
                assert (await house.client.get("/v1/record/export", params=query)).status_code == 422
            return answer.text

    exported = asyncio.run(story())
    lines = [json.loads(line) for line in exported.splitlines()]
    assert [line["kind"] for line in lines] == ["audit", "decision", "decision"]
    head = EMPTY
    for line in lines:
        assert content_hash_of(line) == line["content"]
        seal = next_seal(head, Entry(kind=line["kind"], id=line["id"], content=line["content"]))
        assert (seal.position, seal.hash) == (line["position"], line["hash"])
        head = seal.head
    in_folder(tmp_path)
    assert admit("log", "export", cwd=tmp_path).stdout == exported
    assert len(admit("log", "export", "--kind", "decision", "--repository", REPOSITORY.upper(), cwd=tmp_path).stdout.splitlines()) == 1
    assert admit("log", "export", "--after", "3", cwd=tmp_path).stdout == ""
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert admit("log", "export", "--since", tomorrow, cwd=tmp_path).stdout == ""
    assert admit("log", "export", "--since", "yesterday", cwd=tmp_path).returncode == 2


def content_hash_of(line):
    return content_hash(EntryKind(line["kind"]), canonical(line["document"]))
