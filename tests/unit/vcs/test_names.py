"""Which repositories a glob names."""

from __future__ import annotations

import pytest

from providers.vcs.names import fits_one_of, is_literal


@pytest.mark.parametrize(
    ("pattern", "fitting", "others"),
    [
        ("acme/web", ["acme/web", "Acme/WEB"], ["acme/web2", "xacme/web", "acme/web/x", "acme"]),
        ("acme/*", ["acme/web", "acme/.github"], ["acme/a/b", "other/web", "acme"]),
        ("acme/**", ["acme/web", "acme/group/web"], ["other/web"]),
        ("*/web", ["acme/web"], ["a/b/web", "web"]),
        ("**", ["acme/web", "a/b/c"], []),
        ("acme/we?", ["acme/web"], ["acme/we", "acme/we/"]),
        ("acme/w.b", ["acme/w.b"], ["acme/web"]),
        ("acme/[ab]", ["acme/[ab]"], ["acme/a"]),
    ],
)
def test_what_a_glob_fits(pattern: str, fitting: list[str], others: list[str]) -> None:
    """`*` stops at a slash, `**` does not, nothing else is special, case does not matter."""
    assert all(fits_one_of(name, [pattern]) for name in fitting)
    assert not any(fits_one_of(name, [pattern]) for name in others)


def test_no_pattern_fits_nothing() -> None:
    """An empty list is not "everything"."""
    assert not fits_one_of("acme/web", [])


def test_a_literal_names_one_repository() -> None:
    """So it can be asked for by name."""
    assert is_literal("acme/web")
    assert not any(is_literal(pattern) for pattern in ("acme/*", "**", "acme/we?"))
