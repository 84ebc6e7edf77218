"""A CODEOWNERS file in each forge's dialect: who looks after which file, and what of the text names nobody."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.vcs.code_owners import MOST_RULES, CodeOwnersDialect, CodeOwnersTooLarge, OwnerKind, places, read_code_owners

GITHUB, GITLAB, GITEA = CodeOwnersDialect.GITHUB, CodeOwnersDialect.GITLAB, CodeOwnersDialect.GITEA


def owners(dialect, text, path):
    """Who looks after the file, for each rule that says so."""
    return [" ".join(owner.name for owner in rule.owners) for rule in read_code_owners(text.encode(), dialect).covering(path)]


def problems(dialect, text):
    """What could not be read, as people are told."""
    return [f"{found}; {found.advice}" for found in read_code_owners(text.encode(), dialect).problems]


PATTERNS = [
    (GITHUB, "*", "a.py,docs/b/c,.github/d", ""),
    (GITHUB, "*.js", "a.js,x/y/b.js", "a.jsx,a/js"),
    (GITHUB, "/build/logs/", "build/logs/x,build/logs/y/z", "a/build/logs/x,build/logs"),
    (GITHUB, "docs/*", "docs/a.md", "docs/build/a.md,x/docs/a.md"),
    (GITHUB, "apps/", "apps/a,x/apps/b/c", "apps,myapps/a"),
    (GITHUB, "/docs", "docs,docs/a,docs/b/c", "x/docs/a,docsy"),
    (GITHUB, "**/logs", "logs,a/b/logs/c,logs/d", "a/mylogs"),
    (GITHUB, "a/**/b.py", "a/b.py,a/x/y/b.py", "b.py,a/xb.py"),
    (GITHUB, "/scripts/**", "scripts/a,scripts/b/c", "x/scripts/a"),
    (GITHUB, "/*", "a.py", "src/a.py"),
    (GITHUB, r"my\ docs/", "my docs/a", "my/docs/a,docs/a"),
    (GITHUB, "v?.txt", "v1.txt,x/v2.txt", "v10.txt,v/.txt"),
    (GITHUB, "A.py", "A.py", "a.py"),
    (GITLAB, "*", "a.py,docs/b/c,.x/d", ""),
    (GITLAB, "README.md", "README.md,docs/README.md", "README.mdx"),
    (GITLAB, "/README.md", "README.md", "docs/README.md"),
    (GITLAB, "/docs/", "docs/a,docs/b/c,docs/.d", "x/docs/a,docs"),
    (GITLAB, "lib/", "lib/a,x/lib/b/c", "mylib/a"),
    (GITLAB, "/docs/*", "docs/a", "docs/b/c"),
    (GITLAB, "/docs/**/*.md", "docs/a.md,docs/b/c.md", "docs/a.py,a.md"),
    (GITLAB, "/docs", "docs", "docs/a"),
    (GITLAB, r"\#sharp.rb", "#sharp.rb,x/#sharp.rb", "sharp.rb"),
    (GITLAB, r"path\ with\ spaces/", "path with spaces/a", "path/with/spaces/a"),
    (GITLAB, "/v[0-9].txt", "v1.txt", "va.txt,v10.txt"),
    (GITLAB, "/v[!0-9].txt", "va.txt", "v1.txt,v/.txt"),
    (GITEA, r".*\\.go", "a.go,x/b.go", "ago,a.gox"),
    (GITEA, "docs/(aws|azure)/[^/]*", "docs/aws/a,docs/azure/b", "docs/gcp/a,docs/aws/b/c"),
    (GITEA, "!src/.*", "a.py,docs/b", "src/a"),
    (GITEA, r"with\#hash", "with#hash", "with"),
    (GITEA, r"with\ space", "with space", "with"),
]


@pytest.mark.parametrize(("dialect", "pattern", "covered", "others"), PATTERNS, ids=[f"{d}: {p}" for d, p, _, _ in PATTERNS])
def test_pattern_means_what_the_forge_says(dialect, pattern, covered, others):
    """The examples of each forge's documentation, and their neighbours."""
    text = f"{pattern} @ana\n"
    expected = dict.fromkeys(listed(covered), True) | dict.fromkeys(listed(others), False)
    assert {name: bool(owners(dialect, text, name)) for name in expected} == expected
    assert problems(dialect, text) == []


def listed(names):
    return names.split(",") if names else []


def test_last_rule_that_matches_counts_on_github():
    """One without owners takes files out on purpose; a comment may follow, and ends the line."""
    text = "# all\n*  @acme/core\tana@acme.example # a comment @eve\n/vendor/\n*.py @ana @ben\n"
    assert owners(GITHUB, text, "a.js") == ["acme/core ana@acme.example"]
    assert owners(GITHUB, text, "vendor/a.js") == []
    assert owners(GITHUB, text, "vendor/a.py") == ["ana ben"]


def test_every_rule_that_matches_counts_on_gitea():
    """Each has owners of its own; a name needs no `@`, and a comment may begin anywhere."""
    text = ".* ana\n.*py @acme/core @ben#comment @eve\n"
    assert owners(GITEA, text, "a.py") == ["ana", "acme/core ben"]


def test_sections_count_each_for_itself_on_gitlab():
    """Defaults, counts, optional ones; names are the same in any case; rules outside are a section too; an exclusion is final."""
    text = (
        "* @all\n[Docs][2] @acme/docs @ben\n*.md\n/a.md @ana\n^[Data] @acme/core/db\nmodel/\n!model/tmp/\n/model/tmp/b.md @eve\n"
        "[dOCS] @cleo\n*.txt\n[Free]\n*.md\n"
    )
    read = read_code_owners(text.encode(), GITLAB)
    assert read.problems == ()

    def told(path):
        return [
            (rule.section, rule.approvals, rule.optional, " ".join(owner.name for owner in rule.owners)) for rule in read.covering(path)
        ]

    assert told("x.md") == [("", 1, False, "all"), ("Docs", 2, False, "acme/docs ben")]
    assert told("a.md") == [("", 1, False, "all"), ("Docs", 2, False, "ana")]
    assert told("model/x.txt") == [("", 1, False, "all"), ("Data", 1, True, "acme/core/db"), ("Docs", 1, False, "cleo")]
    assert told("model/tmp/b.md") == [("", 1, False, "all"), ("Docs", 2, False, "acme/docs ben")]


def test_roles_and_addresses_are_told_apart_from_names():
    """GitLab's `@@role` is everybody with that role; an address is nobody's account yet."""
    (rule,) = read_code_owners(b"* @@maintainer ana@acme.example @ana", GITLAB).rules
    kinds = [(owner.kind, owner.name) for owner in rule.owners]
    assert kinds == [(OwnerKind.ROLE, "maintainer"), (OwnerKind.ADDRESS, "ana@acme.example"), (OwnerKind.NAME, "ana")]


TO_OWNERS = "write @account, @organisation/team or a mail address"
HEADING = "write a section as [Name], ^[Name] or [Name][2], and a pattern's bracket as \\["
REFUSALS = [
    (GITHUB, "* ana", f"line 1, column 3: expected an owner, found 'ana'; {TO_OWNERS}"),
    (GITHUB, "* @ana @a/b/c", f"line 1, column 8: expected an owner, found '@a/b/c'; {TO_OWNERS}"),
    (GITHUB, "* @@maintainer", f"line 1, column 3: expected an owner, found '@@maintainer'; {TO_OWNERS}"),
    (
        GITHUB,
        "\n  !a @ana",
        "line 2, column 3: expected a pattern, found '!': GitHub has no negation here; give these files a later line without owners",
    ),
    (GITHUB, "\\#a @ana", "line 1, column 1: expected a pattern, found '\\#': GitHub does not read it; write `?` in the place of the `#`"),
    (
        GITHUB,
        "a[bc] @ana",
        "line 1, column 2: expected a pattern, found '[': GitHub has no character ranges here;"
        " write a line for each name, or `?` for one character",
    ),
    (GITHUB, "/ @ana", "line 1, column 1: expected a pattern, found only '/'; write `*` for every file"),
    (GITHUB, "ok @ana\nb\xff @ana", "line 2, column 2: expected text in UTF-8, found other bytes; write the file in UTF-8"),
    (GITLAB, "[", f"line 1, column 1: expected [Name] or [Name][count], found neither; {HEADING}"),
    (GITLAB, " [Name", f"line 1, column 2: expected [Name] or [Name][count], found neither; {HEADING}"),
    (GITLAB, "^[ ] @ana", f"line 1, column 1: expected a section's name between '[' and ']', found none; {HEADING}"),
    (GITLAB, "[A][0]", "line 1, column 5: expected a number of approvals from 1, found '0'; write it as [Name][2]"),
    (GITLAB, "[A] @ana #x", f"line 1, column 10: expected an owner, found '#x'; {TO_OWNERS}"),
    (
        GITLAB,
        "/a[b @ana",
        "line 1, column 2: expected ']' after '[', found the pattern's end; write `\\[` for the sign itself",
    ),
    (
        GITLAB,
        "/a[/] @ana",
        "line 1, column 2: expected characters between '[' and ']', found none; write `\\[` for the sign itself",
    ),
    (GITEA, ".*", f"line 1, column 1: expected owners after the pattern, found none; {TO_OWNERS}"),
    (GITEA, "! @ana", "line 1, column 1: expected a regular expression after '!', found nothing; write `.*` for every file"),
    (GITEA, "a( @ana", "line 1, column 1: expected a pattern, found one that cannot be read: missing ): ^a($; correct it"),
    (GITEA, ".* @a/b/c", f"line 1, column 4: expected an owner, found '@a/b/c'; {TO_OWNERS}"),
]


@pytest.mark.parametrize(("dialect", "text", "message"), REFUSALS, ids=[f"{d}: {t!a}" for d, t, _ in REFUSALS])
def test_what_cannot_be_read_is_told_with_its_place(dialect, text, message):
    """Line, column, what was expected, what was found, and what to do; the rest of the file counts."""
    read = read_code_owners(text.encode("latin-1"), dialect)
    assert [f"{found}; {found.advice}" for found in read.problems] == [message]


def test_line_that_names_nobody_readable_is_owned_by_nobody_rather_than_free():
    """Files of `* ana` (a forgotten `@`) have an owner whom nobody can be; the rule before does not count in its place."""
    for dialect, text in ((GITHUB, "* @ben\n* ana"), (GITLAB, "* @ben\n* ana"), (GITEA, ".* @a/b/c")):
        (rule,) = read_code_owners(text.encode(), dialect).covering("a.py")
        assert (rule.owners, rule.unreadable, rule.owned) == ((), True, True)
    (rule,) = read_code_owners(b"* ana @ben", GITHUB).covering("a.py")
    assert ([owner.name for owner in rule.owners], rule.unreadable) == (["ben"], False)


def test_too_many_rules_are_refused():
    """Each is tried on each file of a change."""
    with pytest.raises(CodeOwnersTooLarge, match=f"more than {MOST_RULES} rules"):
        read_code_owners(b"a @ana\n" * (MOST_RULES + 1), GITHUB)


def test_places_are_looked_at_in_the_forges_order():
    """They differ between forges, and the first that is there counts."""
    assert [list(places(dialect)) for dialect in (GITHUB, GITLAB, GITEA)] == [
        [".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"],
        ["CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"],
        ["CODEOWNERS", "docs/CODEOWNERS", ".gitea/CODEOWNERS"],
    ]


def test_no_pattern_takes_long():
    """A pattern that keeps a backtracking matcher busy for ages is answered all the same."""
    read = read_code_owners(b"(a*)*b @ana\n(a|a)*c @ana", GITEA)
    assert read.covering("a" * 5_000) == ()
    assert read_code_owners(b"*a*a*a*a*a*a*a*a*b @ana", GITHUB).covering("a" * 5_000) == ()


PIECES = st.sampled_from([*"*?[]!#@/\\ \t\n^().,a1", "**/", "@ana", "@acme/core", "[Docs][2]", "\xff", "é", "\0", "\r\n"])


@settings(max_examples=300, deadline=None)
@given(
    text=st.one_of(st.binary(max_size=200), st.lists(PIECES, max_size=40).map(lambda parts: "".join(parts).encode())),
    path=st.text(max_size=30),
    dialect=st.sampled_from(CodeOwnersDialect),
)
def test_any_text_is_read(text, path, dialect):
    """Whatever bytes a repository holds: every problem has a place within the file, and every file has its answer."""
    read = read_code_owners(text, dialect)
    lines = text.count(b"\n") + 1
    assert all(1 <= found.line <= lines and found.column >= 1 for found in read.problems)
    assert all(rule.owned for rule in read.covering(path))
