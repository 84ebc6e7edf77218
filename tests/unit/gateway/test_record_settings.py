"""How `admit.yaml` says which key signs the record."""

from __future__ import annotations

import pytest

from gateway.config import load_settings
from gateway.domain.checkpoint import new_key
from gateway.errors import ConfigurationWrong


def test_the_checkpoint_key_is_read_from_where_it_is_named(tmp_path, monkeypatch):
    """And is in nothing that is printed."""
    key = new_key()
    monkeypatch.setenv("CHECKPOINT_KEY", key.private.hex())
    file = tmp_path / "admit.yaml"
    file.write_text("checkpoint_key: env:CHECKPOINT_KEY\n")
    settings = load_settings(file)
    assert settings.checkpoint_key == key
    assert key.private.hex() not in repr(settings)


@pytest.mark.parametrize(("value", "says"), [("not a key", "expected PEM, or the hex or base64 of 32 bytes; make one with: openssl")])
def test_what_is_no_key_is_refused_with_how_to_make_one(tmp_path, monkeypatch, value, says):
    """Without repeating what was found: it may be a secret."""
    monkeypatch.setenv("CHECKPOINT_KEY", value)
    file = tmp_path / "admit.yaml"
    file.write_text("checkpoint_key: env:CHECKPOINT_KEY\n")
    with pytest.raises(ConfigurationWrong) as caught:
        load_settings(file)
    assert "checkpoint_key: " + says in str(caught.value)
    assert value not in str(caught.value)
