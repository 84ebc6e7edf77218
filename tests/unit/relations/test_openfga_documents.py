"""What an OpenFGA server sends is read strictly: only what is exactly as documented is an answer."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from policies.errors import RelationsUnavailable
from policies.relations.openfga import documents
from policies.relations.openfga.documents import Changes, Refused

YES, NO = {"allowed": True}, {"allowed": False}


def test_answers_are_read_by_id():
    """True, false, and the server's own refusal of one question."""
    refused = {"error": {"input_error": "validation_error", "message": "type 'robot' not found"}}
    found = documents.answers({"result": {"a": YES, "b": NO, "c": refused}}, {"a", "b", "c"})
    assert found == {"a": True, "b": False, "c": Refused(message="type 'robot' not found")}


@pytest.mark.parametrize(
    "body",
    [
        {"result": {"a": YES}},
        {"result": {"a": YES, "b": NO, "c": YES}},
        {"result": {"a": YES, "c": NO}},
        {"result": {"a": YES, "b": {}}},
        {"result": {"a": YES, "b": None}},
        {"result": {"a": YES, "b": {"allowed": "false"}}},
        {"result": {"a": YES, "b": {"allowed": 1}}},
        {"result": {"a": YES, "b": {"allowed": None}}},
        {"result": {"a": YES, "b": {**YES, "error": {"message": "perhaps"}}}},
        {"result": {"a": YES, "b": {"error": {"internal_error": "deadline_exceeded", "message": "too slow"}}}},
        {"result": {"a": YES, "b": {"error": {"message": "something"}}}},
        {"result": {"a": YES, "b": {"error": None}}},
        {"result": [YES, NO]},
        {"results": {"a": YES, "b": NO}},
        {},
        [],
        None,
        "<html>",
    ],
    ids=repr,
)
def test_a_batch_with_anything_missing_or_strange_has_no_answers(body):
    """Not even those that look well."""
    with pytest.raises(RelationsUnavailable):
        documents.answers(body, {"a", "b"})


def test_newest_model_is_the_first_of_the_list():
    """The list begins with the newest; an empty one has none."""
    assert documents.newest_model({"authorization_models": [{"id": "2"}, {"id": "1"}], "continuation_token": ""}) == "2"
    assert documents.newest_model({"authorization_models": []}) is None


@pytest.mark.parametrize(
    "body", [{}, {"authorization_models": None}, {"authorization_models": [{}]}, {"authorization_models": [{"id": ""}]}, ""]
)
def test_strange_list_of_models_is_a_fault(body):
    """It is not read as a store without one."""
    with pytest.raises(RelationsUnavailable):
        documents.newest_model(body)


def test_page_of_changes_says_how_many_and_where_it_goes_on():
    """What changed does not matter."""
    assert documents.changes({"changes": [{}, {}], "continuation_token": "t"}) == Changes(count=2, token="t")


@pytest.mark.parametrize("body", [{}, {"changes": []}, {"changes": None, "continuation_token": ""}, None])
def test_strange_page_of_changes_is_a_fault(body):
    """It is not read as no changes."""
    with pytest.raises(RelationsUnavailable):
        documents.changes(body)


def test_time_of_a_response_is_its_date():
    """Whatever the case of the header's name."""
    assert documents.date({"dAte": "Mon, 04 May 2026 12:00:00 GMT"}) == datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.mark.parametrize("headers", [{}, {"date": ""}, {"date": "now"}, {"date": "Mon, 04 May 2026 12:00:00"}])
def test_response_without_a_time_is_a_fault(headers):
    """The gateway's own clock may go wrong by more than a write takes."""
    with pytest.raises(RelationsUnavailable):
        documents.date(headers)
