"""What is posted on a commit."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.record import Override, decision_document, decision_from_document
from gateway.domain.report import DESCRIPTION_LIMIT, context_for, shortened, status_for, worst
from policies import Outcome, Verdict
from providers.vcs import StatusState
from tests.builders import NOON, a_decision, a_tracked_change, a_verdict, a_violation

STATES = {
    Outcome.ADMITTED: StatusState.SUCCESS,
    Outcome.DENIED: StatusState.FAILURE,
    Outcome.HELD: StatusState.PENDING,
    Outcome.UNDECIDED: StatusState.ERROR,
}


@pytest.mark.parametrize("outcome", list(Outcome))
def test_only_admitted_is_success(outcome):
    """Each outcome has its state, names the first thing missing, and leads to its page."""
    decision = a_decision("abc", verdict=a_verdict(outcome))
    status = status_for(decision, target_branch="main", public_url="http://gate.example/")
    assert status.state is STATES[outcome]
    assert status.context == "admit/main"
    assert status.target_url == "http://gate.example/decisions/abc"
    assert decision.verdict.reason in status.description
    assert (status.state is StatusState.SUCCESS) == (outcome is Outcome.ADMITTED)


def test_more_reasons_are_counted():
    """The description says that there is more to read."""
    verdict = Verdict(violations=(a_violation("one"), a_violation("two"), a_violation("three")))
    assert status_for(a_decision(verdict=verdict), target_branch="main", public_url="http://x").description == "Denied: one (and 2 more)"


@given(st.text(max_size=500))
def test_a_description_is_one_short_printable_line(text):
    """Whatever a policy writes, the forge gets 140 characters at most and nothing that cannot be shown."""
    line = shortened(text)
    assert len(line) <= DESCRIPTION_LIMIT
    assert line.isprintable()


outcomes = st.sampled_from([*Outcome, None])


@given(st.lists(outcomes, min_size=1, max_size=5))
def test_the_worst_of_all_open_changes_counts_in_any_order(found):
    """A commit is good for a branch only if every open change that brings it there is admitted."""
    changes = [a_tracked_change(outcome, number=number, decision=f"d{number}") for number, outcome in enumerate(found)]
    standings = {worst(order, "main", at=NOON) for order in itertools.islice(itertools.permutations(changes), 6)}
    assert len({standing.outcome for standing in standings}) == 1
    standing = standings.pop()
    assert (standing.outcome is Outcome.ADMITTED) == all(outcome is Outcome.ADMITTED for outcome in found)
    if Outcome.DENIED in found:
        assert standing.outcome is Outcome.DENIED


@given(st.lists(st.tuples(outcomes, st.sampled_from([None, "in force", "over"])), min_size=1, max_size=5))
def test_the_gate_opens_only_where_every_change_is_admitted_or_overridden(found):
    """An override that has ended opens nothing, and none speaks for another change or for one that was never judged."""
    ends = {"in force": NOON + timedelta(minutes=1), "over": NOON}
    changes = [
        replace(
            a_tracked_change(outcome, number=number, decision=f"d{number}" if outcome else None),
            override=Override(by="ana", reason="fire", until=ends[override]) if override else None,
        )
        for number, (outcome, override) in enumerate(found)
    ]
    standing = worst(changes, "main", at=NOON)
    opens = standing.override is not None or standing.outcome is Outcome.ADMITTED
    assert opens == all(outcome is Outcome.ADMITTED or (outcome and override == "in force") for outcome, override in found)
    assert (standing.override is not None) <= any(override == "in force" for _, override in found)


@pytest.mark.parametrize("outcome", list(Outcome))
def test_an_override_is_told_before_the_verdict_it_does_not_change(outcome):
    """Who, until when, and then what was decided."""
    decision = a_decision(verdict=a_verdict(outcome))
    override = Override(by="person:ana", reason="fire", until=NOON)
    status = status_for(decision, target_branch="main", public_url="http://x", override=override)
    assert status.state is StatusState.SUCCESS
    assert status.description.startswith(f"Overridden by person:ana until 2026-03-02 12:00 UTC. {outcome.value.capitalize()}: ")


def test_closed_changes_and_other_branches_do_not_count():
    """Only open changes onto that branch have a say; where there is none, nothing is said."""
    admitted = a_tracked_change(Outcome.ADMITTED)
    closed = a_tracked_change(Outcome.DENIED, number=8, state="closed")
    elsewhere = a_tracked_change(Outcome.DENIED, number=9, target_branch="release")
    assert worst([admitted, closed, elsewhere], "main", at=NOON).outcome is Outcome.ADMITTED
    assert worst([closed, elsewhere], "main", at=NOON) is None
    assert context_for("release/1.4") == "admit/release/1.4"


@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_decision_read_back_is_what_was_written(outcome):
    """The written form loses nothing."""
    decision = a_decision(verdict=a_verdict(outcome))
    assert decision_from_document(decision_document(decision)) == decision


def test_a_decision_whose_outcome_was_edited_is_refused():
    """What is written is checked against its own findings."""
    document = decision_document(a_decision(verdict=a_verdict(Outcome.DENIED)))
    document["outcome"] = "admitted"
    with pytest.raises(ValueError, match="denied"):
        decision_from_document(document)
