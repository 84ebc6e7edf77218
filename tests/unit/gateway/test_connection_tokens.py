"""What a connection's secrets may be, told before anything is asked."""

from __future__ import annotations

import pytest

from gateway import wiring
from gateway.config import load_settings
from gateway.errors import ConfigurationWrong

FORGES = ["gitea", "gitlab", "github"]


def a_connection(folder, forge, token):
    """Its token lies beside the configuration."""
    (folder / "token").write_text(token)
    file = folder / "admit.yaml"
    file.write_text(f"connections: [{{name: work, forge: {forge}, url: 'https://git.test', token: 'file:token'}}]\n")
    (connection,) = load_settings(file).connections
    return connection


def test_secret_files_are_found_beside_the_configuration(tmp_path):
    """Wherever the command is run from, as every path in it."""
    assert a_connection(tmp_path, "gitea", "canary-4711\n").token.get_secret_value() == "canary-4711"


@pytest.mark.parametrize("forge", FORGES)
def test_token_that_cannot_be_one_is_the_configurations_error(tmp_path, forge):
    """It names the connection and not the token, for the gateway and for who sets the forge up."""
    connection = a_connection(tmp_path, forge, "canary 4711")
    for build in (wiring.build_forge, lambda wanted: wiring.build_forge_setup(wanted, "admit", "http://gate.test")):
        with pytest.raises(ConfigurationWrong, match=r"connection 'work': expected a \w+ token of printable ASCII") as refused:
            build(connection)
        assert "4711" not in str(refused.value)
