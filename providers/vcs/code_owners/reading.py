"""Read a CODEOWNERS file line by line. A line that cannot be read makes nobody an owner, and is told with its place.

Whatever bytes come, there is an answer: nothing here fails but for a file that is too large to be looked through.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from providers.vcs.code_owners.model import CodeOwners, Owner, OwnerKind, OwnerProblem, OwnerRule
from providers.vcs.code_owners.patterns import Matches, PatternRefused, gitea_expression, github_glob, gitlab_glob
from providers.vcs.port import CodeOwnersDialect

MOST_RULES = 5_000
"""Rules of one file: each is tried on each file of a change."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_.-]+)*")
_ADDRESS = re.compile(r"[^\s@/]+@[^\s@/]+\.[^\s@/]+")
_HEADING = re.compile(r"(\^?)\[([^\[\]]*)\](?:\[([^\[\]]*)\])?(?=\s|$)")
_LOOKS_LIKE_A_HEADING = re.compile(r"\^?\[[^\]]*(?:$|\](?:\s|\[|$))")
_TO_OWNERS = "write @account, @organisation/team or a mail address"


class CodeOwnersTooLarge(ValueError):
    """More than is looked through. The message says how much there is, and how much may be."""


class _Word(NamedTuple):
    """A part of a line between spaces, as written; column counts from 1."""

    text: str
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Section:
    name: str = ""
    approvals: int = 1
    optional: bool = False
    owners: tuple[Owner, ...] = ()
    unreadable: bool = False


@dataclass(slots=True)
class _Reading:
    """A file on its way to being read."""

    dialect: CodeOwnersDialect
    rules: list[OwnerRule] = field(default_factory=list)
    problems: list[OwnerProblem] = field(default_factory=list)
    section: _Section = field(default_factory=_Section)
    line: int = 0

    def problem(self, column: int, message: str, advice: str) -> None:
        self.problems.append(OwnerProblem(line=self.line, column=column, message=message, advice=advice))


def read_code_owners(content: bytes, dialect: CodeOwnersDialect) -> CodeOwners:
    """The file's rules, and what in it could not be read. Raises CodeOwnersTooLarge and nothing else."""
    reading = _Reading(dialect)
    for number, raw in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        reading.line = number
        try:
            text = raw.rstrip(b"\r").decode()
        except UnicodeDecodeError as problem:
            reading.problem(problem.start + 1, "expected text in UTF-8, found other bytes", "write the file in UTF-8")
            continue
        _LINES[dialect](reading, text)
        if len(reading.rules) > MOST_RULES:
            raise CodeOwnersTooLarge(f"more than {MOST_RULES} rules; at most that many are read")
    return CodeOwners(dialect=dialect, rules=tuple(reading.rules), problems=tuple(reading.problems))


def _github_line(reading: _Reading, text: str) -> None:
    words = list(_words(text, comments=True))
    if words and (matches := _pattern(reading, words[0], github_glob)) is not None:
        owners, unreadable = _owners(reading, words[1:])
        reading.rules.append(
            OwnerRule(line=reading.line, pattern=words[0].text, matches=matches, owners=owners, unreadable=unreadable and not owners)
        )


def _gitea_line(reading: _Reading, text: str) -> None:
    words = list(_gitea_words(text))
    if not words or (matches := _pattern(reading, words[0], gitea_expression)) is None:
        return
    if len(words) == 1:
        reading.problem(words[0].column, "expected owners after the pattern, found none", _TO_OWNERS)
        return
    owners, unreadable = _owners(reading, words[1:])
    reading.rules.append(
        OwnerRule(line=reading.line, pattern=words[0].text, matches=matches, owners=owners, unreadable=unreadable and not owners)
    )


def _gitlab_line(reading: _Reading, text: str) -> None:
    start = text.lstrip()
    if not start or start.startswith("#"):
        return
    if _LOOKS_LIKE_A_HEADING.match(start):
        _heading(reading, start, len(text) - len(start))
        return
    words = list(_words(text, comments=False))
    pattern = _Word(words[0].text.removeprefix("!"), words[0].column)
    if (matches := _pattern(reading, pattern, gitlab_glob)) is None:
        return
    section, excludes = reading.section, words[0].text.startswith("!")
    owners, unreadable = ((), False) if excludes else _owners(reading, words[1:])
    if not excludes and len(words) == 1:
        owners, unreadable = section.owners, section.unreadable
    reading.rules.append(
        OwnerRule(
            line=reading.line,
            pattern=words[0].text,
            matches=matches,
            owners=owners,
            unreadable=unreadable and not owners,
            section=section.name,
            approvals=section.approvals,
            optional=section.optional,
            excludes=excludes,
        )
    )


def _heading(reading: _Reading, start: str, indent: int) -> None:
    """`^[Name][2] @owner …`. One that cannot be read begins no section: what follows stays in the one before."""
    found = _HEADING.match(start)
    name = found[2].strip() if found else ""
    if found is None or not name:
        what = "expected a section's name between '[' and ']', found none" if found else "expected [Name] or [Name][count], found neither"
        reading.problem(indent + 1, what, "write a section as [Name], ^[Name] or [Name][2], and a pattern's bracket as \\[")
        return
    owners, unreadable = _owners(reading, [_Word(word.text, word.column + indent + found.end()) for word in _words(start[found.end() :])])
    asked, before = found[3], _section_named(reading, name)
    approvals = int(asked) if asked is not None and re.fullmatch("[0-9]{1,4}", asked) and int(asked) > 0 else 1
    if asked is not None and asked != str(approvals):
        message = f"expected a number of approvals from 1, found '{asked[:20]}'"
        reading.problem(indent + found.start(3) + 1, message, "write it as [Name][2]")
    reading.section = _Section(
        name=before or name, approvals=approvals, optional=bool(found[1]), owners=owners, unreadable=unreadable and not owners
    )


def _section_named(reading: _Reading, name: str) -> str | None:
    """The name as it was written first: case does not tell sections apart."""
    return next((rule.section for rule in reading.rules if rule.section.lower() == name.lower()), None)


_LINES: dict[CodeOwnersDialect, Callable[[_Reading, str], None]] = {
    CodeOwnersDialect.GITHUB: _github_line,
    CodeOwnersDialect.GITLAB: _gitlab_line,
    CodeOwnersDialect.GITEA: _gitea_line,
}


def _pattern(reading: _Reading, word: _Word, meaning: Callable[[str], Matches]) -> Matches | None:
    try:
        return meaning(word.text)
    except PatternRefused as refused:
        reading.problem(word.column + refused.offset, str(refused), refused.advice)
        return None


def _owners(reading: _Reading, words: Sequence[_Word]) -> tuple[tuple[Owner, ...], bool]:
    """Those the words name, and whether there were words that name nobody."""
    owners: list[Owner] = []
    unreadable = False
    for word in words:
        owner = _owner(reading, word)
        if owner is None:
            unreadable = True
            reading.problem(word.column, f"expected an owner, found {word.text[:60]!a}", _TO_OWNERS)
        else:
            owners.append(owner)
    return tuple(owners), unreadable


def _owner(reading: _Reading, word: _Word) -> Owner | None:
    text, dialect = word.text, reading.dialect
    if _ADDRESS.fullmatch(text):
        return Owner(kind=OwnerKind.ADDRESS, name=text, line=reading.line, column=word.column)
    if dialect is CodeOwnersDialect.GITLAB and re.fullmatch("@@[a-z]+", text):
        return Owner(kind=OwnerKind.ROLE, name=text.removeprefix("@@"), line=reading.line, column=word.column)
    name = text.removeprefix("@")
    named = text.startswith("@") or dialect is CodeOwnersDialect.GITEA
    deep = dialect is not CodeOwnersDialect.GITLAB and name.count("/") > 1
    if not named or deep or not _NAME.fullmatch(name):
        return None
    return Owner(kind=OwnerKind.NAME, name=name, line=reading.line, column=word.column)


def _words(text: str, *, comments: bool = False) -> Iterator[_Word]:
    """The parts between spaces that no backslash stands before. comments: a `#` that begins a part ends the line."""
    for found in re.finditer(r"(?:\\.|\S)+", text):
        if comments and found[0].startswith("#"):
            return
        yield _Word(found[0], found.start() + 1)


def _gitea_words(text: str) -> Iterator[_Word]:
    """As Gitea takes a line apart: a backslash makes the next character an ordinary one and is gone, `#` ends the line anywhere."""
    for found in re.finditer(r"((?:\\.|[^\s\\#])+)|(#|\\$)", text):
        if found[1] is None:
            return
        yield _Word(re.sub(r"\\(.)", r"\1", found[1]), found.start() + 1)
