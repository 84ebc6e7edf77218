"""What `workflows:` and connections' names may be, and what is said of the rest."""

from __future__ import annotations

import pytest

from gateway.config import load_settings
from gateway.config_workflows import WorkflowSettings
from gateway.errors import ConfigurationWrong
from gateway.operations.catalogue import Catalogue, declared
from gateway.running_submissions import _declared
from policies.errors import RequestRefused

WRONG = {
    "a connection named as tokens are": (
        "connections: [{name: token, forge: memory}]",
        "connections.0.name: 'token' is what holders of API tokens go by; choose another name",
    ),
    "a workflow without a target": ("workflows: [{name: deploy, targets: []}]", "workflows.0.targets: "),
    "one name twice": ("workflows: [{name: a, targets: [x]}, {name: a, targets: [y]}]", "workflows: two workflows are named 'a'"),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_configuration_that_cannot_be_used_is_refused(tmp_path, text, message):
    """With the key and what to do."""
    (tmp_path / "admit.yaml").write_text(text)
    with pytest.raises(ConfigurationWrong) as refused:
        load_settings(tmp_path / "admit.yaml")
    assert message in str(refused.value)


def test_a_workflow_on_a_target_nobody_configured_is_refused():
    """At the start, not at the first submission."""
    with pytest.raises(ConfigurationWrong) as refused:
        Catalogue([declared("deploy", ["prod"], None)], ["staging"])
    assert str(refused.value) == "workflows: 'deploy' names the target 'prod', but there is: staging"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "workflows: the input of 'deploy' cannot be read from "),
        ("not json", "workflows: the input of 'deploy' cannot be read from "),
        ("[]", "holds no JSON Schema: expected an object"),
        ('{"type": "objekt"}', "workflows: the input of 'deploy' is no JSON Schema: 'objekt' is not valid"),
    ],
    ids=["no file", "not JSON", "a list", "no schema"],
)
def test_a_schema_that_cannot_be_used_is_refused(tmp_path, content, message):
    """At the start too."""
    if content is not None:
        (tmp_path / "schema.json").write_text(content)
    with pytest.raises(ConfigurationWrong) as refused:
        _declared(WorkflowSettings(name="deploy", targets=("prod",), input=tmp_path / "schema.json"))
    assert message in str(refused.value)


def test_a_schema_reaches_for_nothing_outside_itself():
    """A reference to elsewhere refuses the input; nothing is fetched."""
    catalogue = Catalogue([declared("deploy", ["prod"], {"$ref": "http://127.0.0.1:9/schema.json"})], ["prod"])
    with pytest.raises(RequestRefused, match="refers to something that is not in it"):
        catalogue.check_input("deploy", {})
