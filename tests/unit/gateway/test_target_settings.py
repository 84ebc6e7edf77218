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
        ("{name: prod, orchestrator: argo, url: 'https://argo:2746', namespace: deploys, token: 'env:SECRET'}", "argo"),
        ("{name: prod, orchestrator: airflow, url: 'https://airflow', user: admittance, password: 'env:SECRET'}", "airflow"),
        ("{name: prod, orchestrator: airflow, url: 'https://airflow', token: 'env:SECRET', workflows: {deploy: deploy_dag}}", "airflow"),
        ("{name: prod, orchestrator: prefect, url: 'http://prefect:4200/api'}", "prefect"),
        ("{name: prod, orchestrator: prefect, url: 'http://prefect:4200/api', user: a, password: 'env:SECRET'}", "prefect"),
        ("{name: prod, orchestrator: dagster, url: 'http://dagster:3000', location: house, token: 'env:SECRET'}", "dagster"),
        (
            "{name: prod, orchestrator: dagster, url: 'http://dagster:3000', location: house, "
            "workflows: {deploy: {job: deploy_job, input_at: ops.deploy.config}, other: job2}}",
            "dagster",
        ),
        (TEMPORAL + ", api_key: 'env:SECRET'}", "temporal"),
        ("{name: here, orchestrator: memory, workflows: [deploy]}", "memory"),
    ],
)
async def test_every_orchestrator_can_be_configured(tmp_path, monkeypatch, target, orchestrator):
    """The block in the file becomes the adapter, which connects to nothing yet."""
    monkeypatch.setenv("SECRET", "s3cret")
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
        (["{name: p, orchestrator: airflow, url: 'http://a', user: u}"], "user and password go together"),
        (["{name: p, orchestrator: airflow, url: 'http://u:p@a'}"], r"targets\.0\.airflow\.url: "),
        (
            ["{name: p, orchestrator: dagster, url: 'http://a', location: l, workflows: {a: {jop: x}}}"],
            r"workflows\.a\.jop: unknown key; did you mean job",
        ),
        ([TEMPORAL + ", timout: 3}"], "targets.0.temporal.timout: unknown key; did you mean timeout"),
    ],
    ids=[
        "named twice",
        "a secret in the file",
        "half a pair",
        "an orchestrator nobody knows",
        "incomplete",
        "half an account",
        "a secret in a URL",
        "a misspelt job",
        "misspelt",
    ],
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


def test_files_are_found_beside_the_configuration(tmp_path):
    """As every path in it; one that is not there is named."""
    (wanted,) = settings(tmp_path, "{name: prod, orchestrator: prefect, url: 'https://prefect/api', ca: ca.pem}").targets
    assert wanted.ca == tmp_path / "ca.pem"
    with pytest.raises(ConfigurationWrong, match="target 'prod': its certificates cannot be used"):
        build_target(wanted)
    (temporal,) = settings(tmp_path, TEMPORAL + ", tls: {ca: ca.pem}}").targets
    assert temporal.tls.ca == tmp_path / "ca.pem"


def test_workflow_its_target_does_not_name_is_told_at_once(tmp_path):
    """Not when somebody submits it and nothing can start."""
    file = tmp_path / "admit.yaml"
    file.write_text(f"targets:\n  - {TEMPORAL}}}\nworkflows:\n  - {{name: clean-up, targets: [prod]}}\n")
    with pytest.raises(ConfigurationWrong, match="workflow 'clean-up' may run on 'prod', whose workflows do not name it: deploy"):
        load_settings(file)
