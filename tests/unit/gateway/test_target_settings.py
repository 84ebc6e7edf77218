"""`targets:` of `admit.yaml`, and the adapters that come of it."""

from __future__ import annotations

import pytest

from gateway.config import load_settings
from gateway.config_parts import current
from gateway.errors import ConfigurationWrong
from gateway.wiring_targets import build_target
from providers.errors import AccessRefused

TEMPORAL = "{name: prod, orchestrator: temporal, address: 'temporal:7233', task_queue: deploys, workflows: [deploy]"


def settings(tmp_path, *targets):
    file = tmp_path / "admit.yaml"
    file.write_text("targets:\n" + "".join(f"  - {target}\n" for target in targets))
    return load_settings(file)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("target", "orchestrator"),
    [
        (TEMPORAL + "}", "temporal"),
        ("{name: here, orchestrator: memory, workflows: [deploy]}", "memory"),
    ],
)
async def test_every_orchestrator_can_be_configured(tmp_path, target, orchestrator):
    """The block in the file becomes the adapter, which connects to nothing yet."""
    (wanted,) = settings(tmp_path, target).targets
    built = build_target(wanted)
    assert (built.name, built.orchestrator) == (wanted.name, orchestrator)
    await built.close()


def test_workflows_may_have_other_names_there(tmp_path):
    """A list of names, or the gateway's names with the target's own."""
    same, other = settings(
        tmp_path, TEMPORAL + "}", TEMPORAL.replace("prod", "test").replace("[deploy]", "{deploy: Deploy2}") + "}"
    ).targets
    assert same.workflows == {"deploy": "deploy"}
    assert other.workflows == {"deploy": "Deploy2"}


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        ([TEMPORAL + "}", TEMPORAL + "}"], "targets: two targets are named 'prod'"),
        ([TEMPORAL + ", api_key: clear-text}"], "targets.0.temporal.api_key: expected env:NAME or file:PATH"),
        ([TEMPORAL + ", tls: {certificate: a.pem}}"], "certificate and key go together"),
        (["{name: prod, orchestrator: jenkins}"], "targets.0: .*temporal"),
        (["{name: prod, orchestrator: temporal, address: nowhere}"], "targets.0.temporal.task_queue: Field required"),
        ([TEMPORAL + ", timout: 3}"], "targets.0.temporal.timout: Extra inputs"),
    ],
    ids=["named twice", "a secret in the file", "half a pair", "an orchestrator nobody knows", "incomplete", "misspelt"],
)
def test_what_is_wrong_is_named(tmp_path, targets, said):
    """With its key."""
    with pytest.raises(ConfigurationWrong, match=said):
        settings(tmp_path, *targets)


def test_secret_in_a_file_is_what_lies_there_now(tmp_path):
    """Replaced while the gateway runs, as Kubernetes replaces a service account's token; gone is refused, not old."""
    secret = tmp_path / "key"
    secret.write_text("first\n")
    (target,) = settings(tmp_path, TEMPORAL + f", api_key: 'file:{secret}'}}").targets
    assert current(target.api_key) == "first"
    secret.write_text("second\n")
    assert current(target.api_key) == "second"
    secret.unlink()
    with pytest.raises(AccessRefused, match="cannot be read"):
        current(target.api_key)
    assert "first" not in repr(target)
