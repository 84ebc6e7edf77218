"""Globs, and which requests a policy applies to."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.bundles import Match
from policies.bundles.example import a_document
from policies.bundles.matching import fits, matches
from policies.document import request_from_document
from policies.model import Action

GLOBS = [
    ("acme/*", "acme/shop", True),
    ("acme/*", "acme/group/shop", False),
    ("acme/**", "acme/shop", True),
    ("acme/**", "acme/group/shop", True),
    ("acme/**", "other/acme/shop", False),
    ("**", "acme/shop", True),
    ("*", "acme/shop", False),
    ("**/shop", "shop", True),
    ("**/shop", "acme/group/shop", True),
    ("**/shop", "acme/workshop", False),
    ("a/**/b", "a/b", True),
    ("a/**/b", "a/x/y/b", True),
    ("a/**/b", "a/xb", False),
    ("release/*", "release/1.0", True),
    ("release/*", "release/1.0/rc", False),
    ("release/?.?", "release/1.0", True),
    ("?", "/", False),
    ("a.b", "axb", False),
    ("", "", True),
    ("", "x", False),
    ("*", "", True),
    ("line*", "line\nbreak", True),
]


@pytest.mark.parametrize(("glob", "text", "expected"), GLOBS, ids=[f"{glob!r} {text!r}" for glob, text, _ in GLOBS])
def test_globs_mean_what_the_design_says(glob, text, expected):
    """`*` and `?` stay between slashes, `**` does not, everything else is itself."""
    assert fits([glob], text) is expected


@settings(deadline=None)
@given(st.text("ab*?", max_size=8), st.text("ab", max_size=12))
def test_without_slashes_globs_are_those_of_the_shell(glob, text):
    """The standard library agrees wherever `/` plays no part."""
    assert fits([glob], text) == fnmatch.fnmatchcase(text, glob)


@settings(deadline=None)
@given(st.text("a/*", max_size=8), st.text("a/", max_size=10))
def test_two_stars_reach_whatever_one_star_reaches(glob, text):
    """`**` is `*` and more."""
    if fits([glob], text):
        assert fits([glob.replace("*", "**")], text)


def test_a_glob_made_to_be_slow_is_not():
    """A repository's own bundle brings globs too; backtracking would need longer than the universe is old."""
    assert not fits(["**a" * 60 + "b"], "a" * 200)


def a_change(**change):
    return request_from_document(a_document({"change": change}))


def merge(**facets):
    return Match(action=Action.MERGE, **facets)


FACETS = {
    "everything by default": (merge(), {}, True),
    "its repository": (merge(repositories=("acme/*",)), {}, True),
    "repositories whatever their case": (merge(repositories=("ACME/*",)), {"repository": {"name": "Acme/Shop"}}, True),
    "connections whatever their case": (merge(connections=("WORK",)), {}, True),
    "branches by their case": (merge(branches=("MAIN",)), {}, False),
    "one of several": (merge(branches=("main", "release/*")), {"base": {"ref": "release/2"}}, True),
    "every facet, not any": (merge(repositories=("acme/*",), branches=("release/*",)), {}, False),
    "not what is excluded": (merge(exclude={"repositories": ("acme/SHOP",)}), {}, False),
    "excluded by any facet": (merge(exclude={"repositories": ("other/*",), "branches": ("main",)}), {}, False),
    "what is excluded elsewhere": (merge(exclude={"branches": ("release/*",)}), {}, True),
    "the bottom of a stack": (
        merge(branches=("main",)),
        {
            "base": {"ref": "feature-1"},
            "stack": {"id": "1", "position": 2, "size": 2, "base": {"ref": "main", "sha": "b", "protected": True}},
        },
        True,
    ),
}


@pytest.mark.parametrize(("match", "change", "expected"), FACETS.values(), ids=FACETS)
def test_a_policy_applies_to(match, change, expected):
    """A match decides by action, connection, repository and the branch the change finally lands on."""
    assert matches(match, a_change(**change)) is expected


def test_a_policy_for_merges_does_not_apply_to_workflows_nor_the_other_way():
    """The action is part of the match."""
    workflow = request_from_document(a_document({"workflow": {"name": "deploy", "target": "prod"}}))
    assert not matches(merge(), workflow)
    assert not matches(Match(action=Action.SUBMIT), a_change())
    assert matches(Match(action=Action.SUBMIT, workflows=("dep*",), targets=("prod",)), workflow)
    assert not matches(Match(action=Action.SUBMIT, workflows=("dep*",), exclude={"targets": ("prod",)}), workflow)
