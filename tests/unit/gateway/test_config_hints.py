"""What `admit.yaml` is told when it says what nobody understands."""

from __future__ import annotations

import pytest

from gateway.config import load_settings
from gateway.errors import ConfigurationWrong


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("databse: sqlite:///x.db", "databse: unknown key; did you mean database?"),
        ("connections: [{name: work, forge: memory, webhok_secrets: []}]", "webhok_secrets: unknown key; did you mean webhook_secrets?"),
        ("engine: {worker: 2}", "engine.worker: unknown key; did you mean workers?"),
        ("retention: {fact: 3}", "retention.fact: unknown key; did you mean facts?"),
        ("limits: {zzz: 3}", "limits.zzz: unknown key; expected one of per_address, per_connection, per_token"),
    ],
    ids=["top", "in a list", "in a block", "in another", "like none"],
)
def test_a_misspelt_key_is_told_with_what_was_probably_meant(tmp_path, written, says):
    """Among the keys of its own block."""
    (tmp_path / "admit.yaml").write_text(written)
    with pytest.raises(ConfigurationWrong) as caught:
        load_settings(tmp_path / "admit.yaml")
    assert says in str(caught.value)


def test_a_webhook_secret_that_could_be_guessed_is_refused_with_what_to_do(tmp_path, monkeypatch):
    """And not repeated; one of sixteen characters is taken."""
    monkeypatch.setenv("HOOK_SECRET", "hunter2hunter2x")
    (tmp_path / "admit.yaml").write_text("connections: [{name: work, forge: memory, webhook_secrets: ['env:HOOK_SECRET']}]")
    with pytest.raises(ConfigurationWrong) as caught:
        load_settings(tmp_path / "admit.yaml")
    assert "a secret of 15 characters could be guessed; use at least 16: make one with: openssl rand -hex 32" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    monkeypatch.setenv("HOOK_SECRET", "hunter2hunter2xx")
    assert load_settings(tmp_path / "admit.yaml").connections[0].webhook_secrets
