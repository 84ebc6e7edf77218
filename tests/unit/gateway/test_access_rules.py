"""What scopes include, and who can hold a token."""

from __future__ import annotations

import pytest

from gateway.domain.access import Scope, is_actor, permits

INCLUDED = {
    "admin": {"admin", "author", "operator", "reader", "submitter"},
    "author": {"author", "reader"},
    "operator": {"operator", "reader"},
    "reader": {"reader"},
    "submitter": {"submitter"},
    "read": set(),
    "": set(),
}


@pytest.mark.parametrize("held", INCLUDED)
@pytest.mark.parametrize("needed", list(Scope))
def test_scope_includes_what_it_is_for_and_no_more(held, needed):
    """A submitter does not read, an author does not operate, and an unknown word opens nothing."""
    assert permits([held], [needed]) is (needed in INCLUDED[held])


def test_any_of_the_scopes_held_will_do_for_any_of_those_needed():
    """None held, or none that would do, is a no."""
    assert permits(["submitter", "reader"], [Scope.READER])
    assert permits(["submitter"], [Scope.AUTHOR, Scope.SUBMITTER])
    assert not permits([], list(Scope))
    assert not permits(["admin"], [])


@pytest.mark.parametrize("text", ["user:work/42", "person:ana", "user:git-hub/583231", "team:acme/core"])
def test_actor_is_a_type_and_an_id(text):
    """As relationship checks name them."""
    assert is_actor(text)


@pytest.mark.parametrize(
    "text", ["", "ana", "user:", ":ana", "user:*", "team:core#member", "user: ana", "user:a\n", "U:1", "user:" + "a" * 300]
)
def test_what_names_nobody_in_particular_is_no_actor(text):
    """No wildcard, no set of users, no blank."""
    assert not is_actor(text)
