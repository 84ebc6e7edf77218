"""`admit doctor` on the record and on who may come in."""

from __future__ import annotations

import json

from tests.e2e.process import admit


def findings(folder):
    return {found["what"]: found for found in json.loads(admit("doctor", "--json", cwd=folder).stdout)}


def test_doctor_says_how_far_the_record_is_signed_and_whether_anybody_may_come_in(tmp_path):
    """Nothing before there is a database; a gateway whose every token was revoked is told how to get one."""
    (tmp_path / "admit.yaml").write_text("database: sqlite:///admit.db\n")
    assert not {"record", "tokens"} & {*findings(tmp_path)}
    assert admit("migrate", cwd=tmp_path).returncode == 0
    assert admit("token", "create", "ana", "--scope", "admin", cwd=tmp_path).returncode == 0
    found = findings(tmp_path)
    assert (
        found["record"]["says"]
        == "0 entries sealed, none of it signed yet, by a key kept in the database (checkpoint_key: keeps one apart)"
    )
    assert (found["tokens"]["well"], found["tokens"]["says"]) == (True, "1 valid, 1 of them admin")
    assert admit("token", "revoke", "ana", cwd=tmp_path).returncode == 0
    found = findings(tmp_path)
    assert (found["tokens"]["well"], found["tokens"]["advice"]) == (False, "make one: admit token create NAME --scope admin")
