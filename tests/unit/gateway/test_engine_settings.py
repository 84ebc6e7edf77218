"""What `engine:` in admit.yaml may say, and what becomes of it."""

from __future__ import annotations

import pytest

from gateway.config import load_settings
from gateway.config_engine import Engine
from gateway.errors import ConfigurationWrong
from gateway.wiring import build_engine, opa_binary


def settings_of(folder, engine):
    (folder / "admit.yaml").write_text(f"engine: {engine}\n")
    return load_settings(folder / "admit.yaml").engine


@pytest.mark.parametrize(
    ("written", "read"), [("512 MiB", 512 << 20), ("1GiB", 1 << 30), ("268435456", 268435456)], ids=["mib", "gib", "bytes"]
)
def test_memory_is_written_as_people_write_it(tmp_path, written, read):
    """In bytes, or with the unit that says how many."""
    assert settings_of(tmp_path, f"{{memory_limit: {written}}}").memory_limit == read


@pytest.mark.parametrize(
    "wrong",
    ["{memory_limit: 512 MB}", "{memory_limit: 1 KiB}", "{patience: 0}", "{workers: 0}", "{adapter: regorus}", "{quarantine: 3}"],
)
def test_what_cannot_be_is_refused_by_its_key(tmp_path, wrong):
    """The key is named."""
    key = wrong.strip("{").partition(":")[0]
    with pytest.raises(ConfigurationWrong, match=rf"engine\.{key}: "):
        settings_of(tmp_path, wrong)


def test_the_binary_is_found_from_the_configuration(tmp_path):
    """A relative path is relative to admit.yaml, like every path in it; unnamed, it is the one on the PATH, if any."""
    assert opa_binary(settings_of(tmp_path, "{opa: bin/opa}")) == tmp_path / "bin" / "opa"


def test_nothing_on_the_path_is_no_binary(tmp_path, monkeypatch):
    """Then nobody is asked for a second opinion."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert opa_binary(Engine()) is None


def test_both_adapters_take_every_setting():
    """Whichever engine is chosen, the same limits hold."""
    limits = {"workers": 2, "compile_deadline": 1, "evaluation_deadline": 1, "queue_limit": 5, "patience": 1, "quarantine_after": 1}
    for adapter in ("library", "server"):
        build_engine(Engine(adapter=adapter, memory_limit="256 MiB", **limits))
