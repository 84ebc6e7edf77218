"""What a ruleset says already, and what it leaves open."""

from __future__ import annotations

from typing import Any

import pytest

from providers.vcs import Gap
from providers.vcs.documents import Document
from providers.vcs.github.layers import Layer, findings, gate, says
from providers.vcs.github.reports import Own

APP, ACCOUNT = Own(login="gate[bot]", app_id=7), Own(login="gate", account_id=3)


def a_layer(**more: Any) -> Layer:
    values: dict[str, Any] = {
        "name": "the ruleset 'x'",
        "contexts": {"admit/main": 7},
        "changes_only": True,
        "no_force": True,
        "merges_for": None,
        "exempt": (),
        **more,
    }
    return Layer(**values)


def gaps(*layers: Layer, own: Own = APP) -> set[Gap]:
    return {finding.gap for finding in findings(layers, "acme/app", "main", "admit/main", own)}


def test_defaults_and_order_of_the_forge_make_no_difference() -> None:
    """Asked for again, a ruleset is not written again because GitHub filled it in."""
    wanted = gate("main", "admit/main", APP, None)
    told = {**wanted, "id": 1, "rules": [{**rule, "source": "x"} for rule in reversed(wanted["rules"])]}
    for rule in told["rules"]:
        if "parameters" in rule:
            rule["parameters"] = {**rule["parameters"], "allowed_merge_methods": ["merge"]}
    assert says(told, wanted)
    assert says(told, gate("main", "admit/main", APP, Document(told, "")))
    for changed in ({"enforcement": "evaluate"}, {"bypass_actors": [{"actor_id": 5}]}, {"rules": told["rules"][1:]}):
        assert not says({**told, **changed}, wanted)


def test_an_account_whose_source_comes_back_as_null_is_the_same() -> None:
    """`integration_id: null` and none at all mean whoever reports it."""
    told = gate("main", "admit/main", ACCOUNT, None)
    checks = next(rule for rule in told["rules"] if rule["type"] == "required_status_checks")["parameters"]
    checks["required_status_checks"] = [{"context": "admit/main", "integration_id": None}]
    assert says(told, gate("main", "admit/main", ACCOUNT, Document(told, "")))
    assert not says(told, gate("main", "admit/main", APP, Document(told, "")))


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([a_layer()], set()),
        ([], {Gap.STATUS_NOT_REQUIRED}),
        ([a_layer(contexts={"admit/other": 7})], {Gap.STATUS_NOT_REQUIRED}),
        ([a_layer(exempt=("administrators",))], {Gap.ADMINS_EXEMPT, Gap.ANY_SOURCE}),
        ([a_layer(exempt=("administrators",)), a_layer()], set()),
        ([a_layer(changes_only=False)], {Gap.PUSHES_ALLOWED}),
        ([a_layer(changes_only=False), a_layer(contexts={})], set()),
        ([a_layer(no_force=False)], {Gap.FORCE_PUSHES_ALLOWED}),
        ([a_layer(contexts={"admit/main": None})], {Gap.ANY_SOURCE}),
        ([a_layer(contexts={"admit/main": 8})], {Gap.ANY_SOURCE}),
    ],
    ids=[
        "one",
        "none",
        "another-status",
        "administrators-exempt",
        "exempt-of-one-of-two",
        "pushes",
        "pushes-by-one-of-two",
        "force-pushes",
        "any-source",
        "another-source",
    ],
)
def test_a_way_is_closed_by_one_layer_that_exempts_nobody(layers: list[Layer], expected: set[Gap]) -> None:
    """Layers add up; one that can be passed closes nothing."""
    assert gaps(*layers) == expected


def test_an_account_cannot_be_insisted_on_so_it_has_to_merge_alone() -> None:
    """By its id in a ruleset, or by its login in a classic protection."""
    assert gaps(a_layer(), own=ACCOUNT) == {Gap.OTHERS_MAY_MERGE}
    for holder in (("User", 3), ("user", "gate")):
        assert gaps(a_layer(), a_layer(merges_for=frozenset({holder})), own=ACCOUNT) == set()
        both = frozenset({holder, ("RepositoryRole", 5)})
        assert gaps(a_layer(), a_layer(merges_for=both), own=ACCOUNT) == {Gap.OTHERS_MAY_MERGE}
