"""What results come to: the combination rules, and that nothing which goes wrong reads as an approval."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import Enforcement, Fault, Outcome, PolicyId, Question, Reason, Verdict, combined, rfc3339
from policies.bundles import Match
from policies.engines import FailureKind, PolicyFailure
from policies.findings import FINDINGS_LIMIT
from policies.model import Action
from policies.verdict import QUESTIONS_LIMIT, asked, judge, plan, question_queries, relations_document, rule_queries
from tests.builders import NOON, a_bundle, a_policy, a_request, a_verdict

WORST_FIRST = (Outcome.DENIED, Outcome.UNDECIDED, Outcome.HELD, Outcome.ADMITTED)
X = PolicyId(bundle="acme", package="merge.x")


def judged(values, *, policy=None):
    policy = policy or a_policy()
    return judge(plan(a_request(), [a_bundle(policy)]), {policy.id: values})


def test_an_empty_verdict_is_undecided():
    """There is no way to write down an admission without a policy that passed."""
    assert Verdict().outcome is Outcome.UNDECIDED


@given(st.lists(st.sampled_from(list(Outcome)), min_size=1, max_size=6))
def test_the_worst_outcome_wins_in_every_order_and_grouping(outcomes):
    """Denied, undecided, held, admitted: in that order, however the verdicts are arranged."""
    expected = min(outcomes, key=WORST_FIRST.index)
    verdicts = [a_verdict(outcome) for outcome in outcomes]
    assert combined(verdicts).outcome is expected
    assert combined(reversed(verdicts)).outcome is expected
    for cut in range(1, len(verdicts)):
        assert combined([combined(verdicts[:cut]), combined(verdicts[cut:])]).outcome is expected


@given(st.lists(st.sampled_from(list(Outcome)), max_size=4))
def test_adding_a_verdict_never_turns_another_into_an_admission(outcomes):
    """What one bundle denies, no other can admit."""
    before = combined([a_verdict(outcome) for outcome in outcomes])
    after = combined([a_verdict(outcome) for outcome in outcomes] + [a_verdict(Outcome.ADMITTED)])
    if before.outcome is not Outcome.ADMITTED and outcomes:
        assert after.outcome is not Outcome.ADMITTED


def test_a_silent_part_of_a_combination_is_a_fault():
    """A part that judged nothing must not vanish beside one that admitted."""
    assert combined([a_verdict(Outcome.ADMITTED), Verdict()]).outcome is Outcome.UNDECIDED


def test_no_policy_that_applies_is_undecided():
    """Selecting nothing is not passing everything."""
    verdict = judge(plan(a_request(), [a_bundle(a_policy(match=Match(action=Action.SUBMIT)))]), {})
    assert verdict.outcome is Outcome.UNDECIDED
    assert verdict.faults[0].reason is Reason.NO_POLICY_MATCHED


def test_empty_rules_admit():
    """A policy that ran and found nothing has passed."""
    verdict = judged({"deny": []})
    assert verdict.outcome is Outcome.ADMITTED
    assert verdict.reason == "1 policy passed"


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({}, "rule 'deny' is undefined"),
        ({"deny": True}, "not a set"),
        ({"deny": {"msg": "no"}}, "not a set"),
        ({"deny": None}, "not a set"),
        ({"deny": [1]}, "each item is a string or an object"),
        ({"deny": [None]}, "each item is a string or an object"),
        ({"deny": [{"message": "no"}]}, "without 'msg'"),
        ({"deny": [{"msg": ""}]}, "a text that is not empty"),
        ({"deny": [{"msg": "no", "who": "owner"}]}, "an object with 'relation' and 'object'"),
        ({"deny": [{"msg": "no", "location": {"path": "a", "line": "3"}}]}, "a whole number"),
        ({"deny": [{"msg": "no", "location": {"path": "a", "line": 2**53}}]}, "a whole number"),
        ({"deny": [{"msg": "no", "location": {"path": "a", "line": 0}}]}, "a whole number"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_wrongly_shaped_result_is_undecided(values, says):
    """What cannot be read as "nothing against it" is not read so."""
    verdict = judged(values)
    assert verdict.outcome is Outcome.UNDECIDED
    assert verdict.faults[0].reason is Reason.POLICY_WRONG_SHAPE
    assert says in verdict.faults[0].message


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (PolicyFailure(kind=FailureKind.FAILED, message="x.rego:3: division by zero"), Reason.POLICY_FAILED),
        (PolicyFailure(kind=FailureKind.TIMED_OUT, message="over 2 s"), Reason.POLICY_TIMED_OUT),
        (PolicyFailure(kind=FailureKind.CRASHED, message="signal 9"), Reason.ENGINE_CRASHED),
        (PolicyFailure(kind=FailureKind.FAILED, message="to_number: relation not asked for: is …"), Reason.RELATION_NOT_ASKED),
        (Fault(reason=Reason.BUNDLE_QUARANTINED, message="killed 3 workers"), Reason.BUNDLE_QUARANTINED),
    ],
)
def test_a_failed_evaluation_is_undecided_with_its_reason(result, reason):
    """Each way to fail has a code of its own."""
    verdict = judged(result)
    assert verdict.outcome is Outcome.UNDECIDED
    assert verdict.faults[0].reason is reason
    assert verdict.policies[0].outcome is Outcome.UNDECIDED


def test_a_selected_policy_without_a_result_is_undecided():
    """An engine that answers for fewer policies than it was asked does not admit the rest."""
    policies = (a_policy("merge.a"), a_policy("merge.b"))
    verdict = judge(plan(a_request(), [a_bundle(*policies)]), {policies[0].id: {"deny": []}})
    assert verdict.outcome is Outcome.UNDECIDED


def test_one_policys_fault_does_not_hide_anothers_denial():
    """A developer sees what is against the change even while another policy is broken."""
    policies = (a_policy("merge.a"), a_policy("merge.b"))
    broken = PolicyFailure(kind=FailureKind.FAILED, message="boom")
    verdict = judge(plan(a_request(), [a_bundle(*policies)]), {policies[0].id: broken, policies[1].id: {"deny": ["no"]}})
    assert verdict.outcome is Outcome.DENIED
    assert [v.message for v in verdict.violations] == ["no"]
    assert len(verdict.faults) == 1


FINDS = {"deny": ["d"], "violation": [{"msg": "v", "details": {}}], "warn": ["w"], "hold": [{"msg": "h", "relation": "r", "object": "o"}]}


@pytest.mark.parametrize(
    ("enforcement", "outcome", "warnings", "shadow"),
    [
        (Enforcement.DENY, Outcome.DENIED, ["w"], []),
        (Enforcement.WARN, Outcome.ADMITTED, ["d", "v", "h", "w"], []),
        (Enforcement.DRYRUN, Outcome.ADMITTED, [], ["deny", "deny", "warn", "hold"]),
    ],
)
def test_enforcement_decides_what_findings_do(enforcement, outcome, warnings, shadow):
    """The table of the contract: deny, warn and dryrun for each kind of rule."""
    verdict = judged(FINDS, policy=a_policy(rules=tuple(FINDS), enforcement=enforcement))
    assert verdict.outcome is outcome
    assert [w.message for w in verdict.warnings] == warnings
    assert [s.would.value for s in verdict.dryrun] == shadow


@pytest.mark.parametrize("enforcement", [Enforcement.WARN, Enforcement.DRYRUN])
@pytest.mark.parametrize(
    "values", [{}, {"deny": True}, PolicyFailure(kind=FailureKind.FAILED, message="boom")], ids=["undefined", "shape", "failed"]
)
def test_a_fault_of_an_informing_policy_blocks_nothing_and_is_recorded(enforcement, values):
    """Shadow policies may be broken without stopping anybody."""
    informing, enforced = a_policy("merge.shadow", enforcement=enforcement), a_policy("merge.real")
    verdict = judge(plan(a_request(), [a_bundle(informing, enforced)]), {informing.id: values, enforced.id: {"deny": []}})
    assert verdict.outcome is Outcome.ADMITTED
    recorded = {result.policy.package: result for result in verdict.policies}
    assert recorded["merge.shadow"].outcome is Outcome.UNDECIDED
    assert recorded["merge.shadow"].message


def test_a_hold_alone_holds():
    """People are waited for, with who and how many."""
    verdict = judged(
        {"hold": [{"msg": "ask", "relation": "owner", "object": "repository:work/12", "count": 2}]}, policy=a_policy(rules=("hold",))
    )
    assert verdict.outcome is Outcome.HELD
    assert (verdict.holds[0].relation, verdict.holds[0].count) == ("owner", 2)


def test_the_earliest_end_in_the_future_bounds_the_verdict():
    """`expires` says until when an answer is good; what has passed already says nothing."""
    ends = [rfc3339(NOON + timedelta(hours=hours)) for hours in (-1, 3, 2)]
    verdict = judged({"deny": [], "expires": ends}, policy=a_policy(rules=("deny", "expires")))
    assert verdict.valid_until == NOON + timedelta(hours=2)


def test_suffixed_rules_count_like_the_rule_they_begin_with():
    """conftest's convention: `deny_unsigned` denies."""
    verdict = judged({"deny": [], "deny_unsigned": ["not signed"]}, policy=a_policy(rules=("deny", "deny_unsigned")))
    assert verdict.outcome is Outcome.DENIED


def test_only_matching_policies_are_selected_in_a_fixed_order():
    """The order of bundles handed in does not show in the answer."""
    bundles = [a_bundle(a_policy("merge.b", bundle=name), a_policy("merge.a", bundle=name), name=name) for name in ("one", "two")]
    orders = [plan(a_request(), order).selected for order in itertools.permutations(bundles)]
    assert orders[0] == orders[1]
    assert [str(policy.id) for policy in orders[0]] == ["one/merge.a", "one/merge.b", "two/merge.a", "two/merge.b"]


QUESTION = {"user": "user:work/7", "relation": "owner", "object": "repository:work/12"}


def test_questions_are_asked_once_and_answers_become_relations():
    """Two policies that ask the same make one question."""
    policies = tuple(a_policy(f"merge.{name}", rules=("deny", "questions")) for name in "ab")
    selection = plan(a_request(), [a_bundle(*policies)])
    assert [query.rules for query in question_queries(policies)] == [("questions",), ("questions",)]
    assert [query.rules for query in rule_queries(policies)] == [("deny",), ("deny",)]
    found = asked(selection, {policy.id: {"questions": [QUESTION]} for policy in policies})
    assert found.questions == (Question(**QUESTION),)
    assert relations_document({found.questions[0]: True}) == {"repository:work/12": {"owner": {"user:work/7": True}}}


@pytest.mark.parametrize("items", [[{"user": "u"}], ["user:work/7"], [{**QUESTION, "why": "x"}], [{**QUESTION, "user": ""}], True])
def test_questions_of_the_wrong_shape_are_a_fault_of_their_policy(items):
    """A question that cannot be read is not skipped."""
    policy = a_policy(rules=("deny", "questions"))
    assert (
        asked(plan(a_request(), [a_bundle(policy)]), {policy.id: {"questions": items}}).faults[policy.id].reason
        is Reason.POLICY_WRONG_SHAPE
    )


def test_too_many_questions_put_every_asking_policy_at_fault():
    """Past the limit nothing is answered by half."""
    policy = a_policy(rules=("deny", "questions"))
    items = [{**QUESTION, "user": f"user:work/{number}"} for number in range(QUESTIONS_LIMIT + 1)]
    found = asked(plan(a_request(), [a_bundle(policy)]), {policy.id: {"questions": items}})
    assert found.questions == ()
    assert found.faults[policy.id].reason is Reason.TOO_MANY_QUESTIONS


@given(
    st.lists(
        st.one_of(
            st.just({"deny": []}),
            st.just({"deny": ["no"]}),
            st.just({}),
            st.just({"deny": 1}),
            st.sampled_from(list(FailureKind)).map(lambda kind: PolicyFailure(kind=kind, message="boom")),
            st.none(),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_admitted_only_if_every_enforced_policy_ran_and_found_nothing(results):
    """Over all mixtures of results: admitted exactly when each is an empty set."""
    policies = tuple(a_policy(f"merge.p{number}") for number in range(len(results)))
    given_results = {policy.id: result for policy, result in zip(policies, results, strict=True) if result is not None}
    verdict = judge(plan(a_request(), [a_bundle(*policies)]), given_results)
    assert (verdict.outcome is Outcome.ADMITTED) == all(result == {"deny": []} for result in results)


def test_very_many_findings_are_counted_rather_than_kept():
    """A policy that denies 100,000 times denies; nobody has to render each."""
    verdict = judged({"deny": [f"no {number}" for number in range(100_000)]})
    assert verdict.outcome is Outcome.DENIED
    assert len(verdict.violations) == FINDINGS_LIMIT + 1
    assert verdict.violations[-1].message.startswith("100000 findings of rule 'deny'")
    hold = {"msg": "ask", "relation": "owner", "object": "repository:work/12"}
    held = judged({"hold": [{**hold, "count": number + 1} for number in range(1000)]}, policy=a_policy(rules=("hold",)))
    assert held.outcome is Outcome.HELD
    assert len(held.holds) == FINDINGS_LIMIT + 1


def test_a_very_long_text_is_cut():
    """The first 4,000 characters say it."""
    assert len(judged({"deny": ["x" * 1_000_000]}).violations[0].message) == 4000


@pytest.mark.parametrize("end", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "tomorrow", "2026-01-01T00:00:00"])
def test_an_end_that_no_calendar_holds_is_undecided(end):
    """A time that cannot be written down in UTC is no end."""
    verdict = judged({"deny": [], "expires": [end]}, policy=a_policy(rules=("deny", "expires")))
    assert verdict.outcome is Outcome.UNDECIDED
