"""Knowing less never admits: mutated inputs of denied and held cases stay not admitted, in every starter."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from opa_bindings import OpaEngine

from policies.model import Outcome
from tests.unit.starters.mutations import drawn, losses
from tests.unit.starters.starters import FOLDERS, Evaluator, checked_starters, document_of, modules_of, read_by

SEED = 20261124
MUTATIONS_PER_STARTER = 80
"""In 17 starters: 1,360, of which each is one to three changes to the document."""


@pytest.fixture(scope="module")
def starters():
    return {bundle.name: (bundle, cases) for bundle, cases in checked_starters()}


@pytest.fixture(scope="module")
def evaluator(starters):
    engine = OpaEngine()
    yield Evaluator(engine, modules_of(*(bundle for bundle, _ in starters.values())))
    engine.close()


@pytest.fixture(params=[folder.name for folder in FOLDERS])
def starter(request, starters):
    """One starter: its policy and its cases."""
    bundle, cases = starters[request.param]
    return bundle.policies[0], cases


def admitted_after(evaluator, policy, cases, count):
    """The mutations among `count` drawn ones that admitted what was not admitted before."""
    source = random.Random(f"{SEED} {policy.id}")
    refused = [case for case in cases if case.outcome is not Outcome.ADMITTED]
    found = []
    for _ in range(count):
        case = source.choice(refused)
        done, document = drawn(source, document_of(policy, case))
        if evaluator.outcome(policy, document, case.related) is Outcome.ADMITTED:
            found.append(f"'{case.name}' after: {', then '.join(map(str, done))}")
    return found


def test_cases_come_out_as_they_say(evaluator, starter):
    """Without a mutation every case has its outcome: otherwise the next test would prove nothing."""
    policy, cases = starter
    found = {case.name: evaluator.outcome(policy, document_of(policy, case), case.related) for case in cases}
    assert found == {case.name: case.outcome for case in cases}


def test_knowing_less_never_admits(evaluator, starter):
    """Fields dropped, renamed, set to null or of another type: what was not admitted stays not admitted."""
    policy, cases = starter
    assert admitted_after(evaluator, policy, cases, MUTATIONS_PER_STARTER) == []


def test_no_single_loss_admits(evaluator, starter, starters):
    """Each field that the policy reads, lost in each way there is, in each case: exhaustive where the draw is wide."""
    policy, cases = starter
    read = read_by(starters[policy.id.bundle][0])
    assert read
    admitted = [
        f"'{case.name}' after: {loss}"
        for case in cases
        if case.outcome is not Outcome.ADMITTED
        for loss in losses(document_of(policy, case), read)
        if evaluator.outcome(policy, loss.applied(document_of(policy, case)), case.related) is Outcome.ADMITTED
    ]
    assert admitted == []


TRUSTING = """
package merge.trusting

deny contains "a draft" if input.change.draft

deny contains sprintf("%d of %d", [count(input.change.reviews), input.parameters.minimum]) if {
	count(input.change.reviews) < input.parameters.minimum
}
"""


def test_a_policy_that_trusts_what_is_missing_is_found(evaluator, starters):
    """The ordinary way to write a rule admits when its fact is missing, and these mutations show it."""
    evaluator.engine.add_policy("trusting.rego", TRUSTING)
    bundle, cases = starters["no-drafts"]
    policy = replace(
        bundle.policies[0],
        id=replace(bundle.policies[0].id, package="merge.trusting"),
        rules=("deny",),
        parameters={"minimum": 1},
    )
    assert admitted_after(evaluator, policy, cases, 1000) != []
