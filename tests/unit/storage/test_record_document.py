"""A decision's written form: read back whole or not at all."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.record import (
    ChangeRef,
    Decision,
    DecisionId,
    FactsOrigin,
    Override,
    decision_document,
    decision_from_document,
    substance,
    written,
)
from policies.canonical import canonical
from policies.model import (
    Action,
    BundleId,
    Enforcement,
    EngineInfo,
    Fault,
    Hold,
    Location,
    Outcome,
    PolicyId,
    PolicyResult,
    Question,
    Reason,
    ShadowResult,
    Verdict,
    Violation,
    Warning,
    Who,
    Would,
)
from tests.contract.storage.builders import NOON, a_decision, a_verdict

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
zones = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45)), timezone(timedelta(hours=-3))])
times = st.datetimes(timezones=zones)
numbers = st.integers(0, 2**53 - 1)
policies = st.builds(PolicyId, bundle=texts, package=texts)
locations = st.none() | st.builds(Location, path=texts, line=st.none() | numbers)


def few(strategy):
    return st.lists(strategy, max_size=2).map(tuple)


verdicts = st.builds(
    Verdict,
    violations=few(
        st.builds(
            Violation,
            policy=policies,
            message=texts,
            remedy=st.none() | texts,
            location=locations,
            who=st.none() | st.builds(Who, relation=texts, object=texts),
        )
    ),
    faults=few(st.builds(Fault, reason=st.sampled_from(Reason), message=texts, policy=st.none() | policies)),
    holds=few(st.builds(Hold, policy=policies, message=texts, relation=texts, object=texts, count=numbers, expires_at=st.none() | times)),
    warnings=few(st.builds(Warning, policy=policies, message=texts, remedy=st.none() | texts, location=locations)),
    dryrun=few(st.builds(ShadowResult, policy=policies, would=st.sampled_from(Would), message=texts)),
    policies=few(
        st.builds(
            PolicyResult,
            policy=policies,
            enforcement=st.sampled_from(Enforcement),
            outcome=st.sampled_from(Outcome),
            message=st.none() | texts,
        )
    ),
    valid_until=st.none() | times,
)
decisions = st.builds(
    Decision,
    id=texts.map(DecisionId),
    at=times,
    action=st.sampled_from(Action),
    subject=texts,
    change=st.none()
    | st.builds(
        ChangeRef,
        connection=texts,
        repository_id=texts,
        repository=texts,
        number=numbers,
        head_sha=texts,
        target_branch=texts,
        url=texts,
        title=texts,
    ),
    workflow=st.none() | texts,
    verdict=verdicts,
    bundles=few(st.builds(BundleId, name=texts, revision=texts, digest=texts)),
    engine=st.builds(EngineInfo, name=texts, version=texts),
    generation=numbers,
    facts=st.sampled_from(FactsOrigin),
    input_digest=texts,
    relations=few(st.tuples(st.builds(Question, user=texts, relation=texts, object=texts), st.booleans())),
    policies_commit=st.none() | texts,
    microseconds=st.integers(0, 10**9),
    override=st.none() | st.builds(Override, by=texts, reason=texts, until=times),
    confirmed_at=st.none() | times,
)


def read(document):
    return decision_from_document(json.loads(canonical(document)))


@settings(max_examples=200)
@given(decisions)
def test_decision_survives_being_written_down(decision):
    """Every field, to the microsecond, in whatever zone; and writing it again gives the same bytes."""
    again = read(decision_document(decision))
    assert again == decision
    assert canonical(decision_document(again)) == canonical(decision_document(decision))


def places(document, here=()):
    """Every place in a document at which something stands."""
    items = document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    for key, value in items:
        yield (*here, key)
        yield from places(value, (*here, key))


WHOLE = {
    outcome: decision_document(replace(a_decision(verdict=a_verdict(outcome)), override=Override(by="ana", reason="fire", until=NOON)))
    for outcome in Outcome
}
EVERY_PLACE = [(outcome, place) for outcome, document in WHOLE.items() for place in places(document)]


def parent_of(document, place):
    for key in place[:-1]:
        document = document[key]
    return document


@pytest.mark.parametrize("change", ["removed", "null", "text", "added"])
def test_document_that_was_tampered_with_is_not_read_as_the_same(change):
    """At every place of every outcome's: what is read is another decision, or nothing at all."""
    for outcome, place in EVERY_PLACE:
        document = json.loads(canonical(WHOLE[outcome]))
        parent, key = parent_of(document, place), place[-1]
        match change:
            case "removed":
                del parent[key]
            case "null":
                parent[key] = None
            case "text":
                parent[key] = "tampered"
            case "added" if isinstance(parent, dict):
                parent[f"{key}_"] = 1
        if document == json.loads(canonical(WHOLE[outcome])):
            continue
        try:
            decision = decision_from_document(document)
        except ValueError:
            continue
        assert decision_document(decision) == document, place
        assert change in {"text", "null", "removed"}, place


@pytest.mark.parametrize("outcome", list(Outcome))
def test_outcome_that_its_findings_do_not_come_to_is_refused(outcome):
    """Nothing read from a database can claim to be admitted."""
    for other in set(Outcome) - {outcome}:
        with pytest.raises(ValueError, match="findings come to"):
            decision_from_document({**WHOLE[outcome], "outcome": other.value})


@pytest.mark.parametrize(
    "document", [{}, {"id": "x"}, {**WHOLE[Outcome.DENIED], "violations": None}, {**WHOLE[Outcome.DENIED], "change": 3}]
)
def test_what_is_no_decision_is_refused(document):
    """As a ValueError, whatever is wrong with it."""
    with pytest.raises(ValueError, match="decision"):
        decision_from_document(document)


def facts_of(title="A title", time="2026-11-24T12:00:00Z", kind="change"):
    """Canonical bytes of facts about something of this title."""
    return canonical({"version": 1, "action": "merge", "subject": {"ref": "user:work/1"}, "time": time, kind: {"title": title}})


@pytest.mark.parametrize("kind", ["change", "workflow"])
def test_facts_that_differ_in_their_time_alone_have_one_substance(kind):
    """Whatever a title says, and wherever the time stands: else a judgement made again would be a row of its own, or none."""
    said, tricky = written(a_decision()), 'x","time":"2026-11-24T12:00:00Z","version":1}'
    assert substance(said, facts_of(time="2027-01-01T00:00:00Z", kind=kind)) == substance(said, facts_of(kind=kind))
    titles = ["A title", "Another", tricky, tricky + "}"]
    assert len({substance(said, facts_of(title, kind=kind)) for title in titles}) == len(titles)
