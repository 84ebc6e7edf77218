"""The record is sealed by itself, and what was changed in it is found and named."""

from __future__ import annotations

import asyncio
import json
import sqlite3

import yaml

from tests.builders import a_change_document
from tests.e2e.process import PATIENCE, admit
from tests.integration.gateway.house import REPOSITORY, a_house, of_a_file


def test_what_was_recorded_is_sealed_and_a_changed_byte_is_named(tmp_path):
    """Decisions on changes and on provided facts alike; then somebody edits the database."""

    async def story():
        async with a_house(tmp_path, relations=of_a_file(tmp_path)) as house:
            key = house.forge.open_change(REPOSITORY, head="work", files={"a": "1"}, labels=["bug"])
            await house.deliver()
            await house.decided(key, lambda d: True)
            document = {"version": 1, "time": "2020-01-01T00:00:00Z", "change": a_change_document(labels=["x"])}
            posted = await house.client.post("/v1/admissions", json=document)
            assert posted.status_code == 200, posted.text
            async with asyncio.timeout(PATIENCE):
                record = house.gateway.services.sealed_record
                while not (signed := await record.checkpoints()) or signed[-1].head.position < 3:  # both, and the bundle's activation
                    await asyncio.sleep(0.05)
            return posted.json()["id"]

    id = asyncio.run(story())
    (tmp_path / "admit.yaml").write_text(yaml.safe_dump({"database": "sqlite:///admit.db"}))
    whole = admit("log", "verify", cwd=tmp_path)
    assert whole.returncode == 0, whole.stdout
    assert "the record is whole" in whole.stdout
    checkpoint = admit("log", "checkpoint", cwd=tmp_path)
    assert checkpoint.returncode == 0, checkpoint.stderr
    kept = json.loads(checkpoint.stdout)
    (tmp_path / "kept.jsonl").write_text(checkpoint.stdout)
    trusted = admit("log", "verify", "--public-key", kept["key"], "--checkpoint", "kept.jsonl", "--json", cwd=tmp_path)
    assert trusted.returncode == 0, trusted.stdout
    assert (json.loads(trusted.stdout)["signed_up_to"], json.loads(trusted.stdout)["keys"]) == (kept["position"], [kept["key"]])
    strange = admit("log", "verify", "--public-key", "00" * 32, cwd=tmp_path)
    assert strange.returncode == 1
    assert f"was signed by another key, {kept['key']}" in strange.stdout
    (tmp_path / "kept.jsonl").write_text(checkpoint.stdout.replace(kept["hash"], "0" * 64))
    assert admit("log", "verify", "--checkpoint", "kept.jsonl", cwd=tmp_path).returncode == 1
    assert "expected PEM, or the hex" in admit("log", "verify", "--public-key", "x", cwd=tmp_path, environment={"COLUMNS": "200"}).stderr

    with sqlite3.connect(tmp_path / "admit.db") as database:
        (document,) = database.execute("SELECT document FROM decision WHERE id = ?", (id,)).fetchone()
        forged = document.replace(b'"outcome":"admitted"', b'"outcome":"admittee"')
        assert forged != document
        database.execute("UPDATE decision SET document = ? WHERE id = ?", (forged, id))
    found = admit("log", "verify", "--json", cwd=tmp_path)
    assert found.returncode == 1
    assert id in {flaw["entry"] for flaw in json.loads(found.stdout)["flaws"]}
