"""What a CODEOWNERS file says, as frozen values: rules in order, and what could not be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from providers.vcs.port import CodeOwnersDialect


def places(dialect: CodeOwnersDialect) -> Sequence[str]:
    """Where the file may be; the first that is there counts, the others are not read."""
    match dialect:
        case CodeOwnersDialect.GITHUB:
            # https://docs.github.com/en/repositories/managing-your-repositorys-settings-and-features/customizing-your-repository/about-code-owners
            return (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
        case CodeOwnersDialect.GITLAB:
            # https://docs.gitlab.com/user/project/codeowners/
            return ("CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS")
        case CodeOwnersDialect.GITEA:
            # https://docs.gitea.com/usage/repository/code-owners
            return ("CODEOWNERS", "docs/CODEOWNERS", ".gitea/CODEOWNERS")
    assert_never(dialect)


class OwnerKind(StrEnum):
    """What the text names."""

    NAME = "name"
    """An account (`ana`), a team (`acme/core`) or a group (`acme`, `acme/core/db`)."""
    ADDRESS = "address"
    """A mail address."""
    ROLE = "role"
    """Everybody with a role on the project: GitLab's `@@maintainer`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """One owner as the text names it, without the `@`. line, column: where that is, perhaps in a section's heading."""

    kind: OwnerKind
    name: str
    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerRule:
    """A line: which files, and who looks after them.

    owners: none = these files have no owner, on purpose. unreadable: none, because what stands there names nobody:
    these files have an owner nobody can be. approvals, optional: what the rule's section asks for. excludes: files that
    match have no owner in this section, whatever else it says.
    """

    line: int
    pattern: str
    matches: Callable[[str], bool]
    owners: tuple[Owner, ...] = ()
    unreadable: bool = False
    section: str = ""
    approvals: int = 1
    optional: bool = False
    excludes: bool = False

    @property
    def owned(self) -> bool:
        """Whether anybody is meant to look after what matches."""
        return bool(self.owners) or self.unreadable


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerProblem:
    """Something in the text that names nobody; line and column count from 1."""

    line: int
    column: int
    message: str
    advice: str

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeOwners:
    """A whole file."""

    dialect: CodeOwnersDialect
    rules: tuple[OwnerRule, ...] = ()
    problems: tuple[OwnerProblem, ...] = ()

    def covering(self, path: str) -> tuple[OwnerRule, ...]:
        """The rules that say who looks after this file, in the file's order; none = nobody does."""
        matching = [rule for rule in self.rules if rule.matches(path)]
        if self.dialect is CodeOwnersDialect.GITEA:
            return tuple(rule for rule in matching if rule.owned)
        excluded = {rule.section.lower() for rule in matching if rule.excludes}
        last = {rule.section.lower(): rule for rule in matching if rule.section.lower() not in excluded}
        return tuple(sorted((rule for rule in last.values() if rule.owned), key=lambda rule: rule.line))
