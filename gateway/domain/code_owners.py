"""From a CODEOWNERS file and a change to facts: the rules that cover its files, with owners as relations know them. Pure.

A name becomes an account, a team or an organisation of the change's connection, by its immutable id. What names nobody, or
more than one, makes nobody an owner and is told; a rule left without any owner asks for an approval nobody can give.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from policies import Json
from policies.code_owners import path_prefix
from providers.vcs import NOT_READ, ActorKind, Change
from providers.vcs.code_owners import CodeOwners, Owner, OwnerKind, OwnerRule

_MOST_PROBLEMS = 20
"""Told of one file; the rest is counted."""
_LONGEST = 180
"""Characters of a rule in an object's id, which has 256 bytes at most."""
_SAFE = "/*?[]!$&'()+,;=@^{}|\\"
"""What stands in an id as it is; of the rest, `:`, `#` and blanks may not."""
_KINDS = {"user": "", "team": "#member", "organization": "#member"}
"""What can own, and who of it does."""

Known = Mapping[str, Sequence[str]]
"""Name in lower case → the refs that are called so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFile:
    """A CODEOWNERS file as it was found. path, digest: None where there is none."""

    commit: str
    path: str | None
    digest: str | None
    owners: CodeOwners


@dataclass(frozen=True, slots=True, kw_only=True)
class Covering:
    """A rule and the changed files it covers."""

    rule: OwnerRule
    files: tuple[str, ...]


def covering(owners: CodeOwners, change: Change) -> tuple[Covering, ...]:
    """The rules that say who looks after what the change touches, by new and old names; in the file's order."""
    touched = {path for file in change.files for path in (file.path, file.previous_path) if path is not None}
    found: dict[int, tuple[OwnerRule, list[str]]] = {}
    for path in sorted(touched):
        for rule in owners.covering(path):
            found.setdefault(rule.line, (rule, []))[1].append(path)
    return tuple(Covering(rule=rule, files=tuple(files)) for _, (rule, files) in sorted(found.items()))


def touches_code_owners(change: Change) -> bool:
    """Whether a change may alter who looks after what, wherever its forge looks for the file."""
    return any((path or "").rpartition("/")[2] == "CODEOWNERS" for file in change.files for path in (file.path, file.previous_path))


def names_in(covered: Sequence[Covering]) -> set[str]:
    """The names that have to be known."""
    return {owner.name for one in covered for owner in one.rule.owners if owner.kind is OwnerKind.NAME}


def code_owners_document(found: FoundFile, covered: Sequence[Covering], change: Change, known: Known | None) -> dict[str, Json]:
    """The `code_owners` object of the input. known: None where nobody here knows names, but those of the change itself."""
    names = _Names(change, known)
    taken: set[str] = set()
    paths: list[Json] = []
    problems = [_problem(one.line, one.column, one.message, one.advice) for one in found.owners.problems]
    for one in covered:
        owners: list[Json] = []
        for owner in one.rule.owners:
            ref = names.resolved(owner)
            if isinstance(ref, str) and ref not in owners:
                owners.append(ref)
            elif isinstance(ref, _Unknown) and ref.told:
                problems.append(_problem(owner.line, owner.column, ref.message, ref.advice))
        paths.append(_path(one, path_object(change.repository.ref, one.rule, taken), owners))
    return {"commit": found.commit, "file": found.path, "digest": found.digest, "paths": paths, "problems": list(_told(problems))}


def path_object(repository: str, rule: OwnerRule, taken: set[str]) -> str:
    """`path:work/12/src/*.py`: what relations are asked about. Of the same rule, written twice, each has its own."""
    text = f"[{rule.section}]{rule.pattern}" if rule.section else rule.pattern
    name = quote(text, safe=_SAFE)
    if len(name) > _LONGEST:
        name = f"{name[: _LONGEST - 40]}~{hashlib.sha256(text.encode()).hexdigest()[:32]}"
    object = path_prefix(repository) + name
    while object in taken:
        object += f"~{rule.line}"
    taken.add(object)
    return object


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unknown:
    """told: whether that is worth telling."""

    message: str
    advice: str
    told: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Problem:
    line: int
    column: int
    document: dict[str, Json]


class _Names:
    """Those who take part in the change are known by their logins of this moment, all others as they were last read."""

    def __init__(self, change: Change, known: Known | None) -> None:
        assert change.reviews is not NOT_READ
        assert change.requested_reviewers is not NOT_READ
        people = [change.author, *change.requested_reviewers, *(review.user for review in change.reviews)]
        self._here = {actor.login.lower(): actor.ref for actor in people if actor.kind is ActorKind.USER}
        self._known = known

    def resolved(self, owner: Owner) -> str | _Unknown:
        match owner.kind:
            case OwnerKind.ADDRESS:
                return _Unknown(message="expected a name, found a mail address: whose it is is not known here", advice="name the account")
            case OwnerKind.ROLE:
                message = f"expected a name, found the role '@@{owner.name}': who has it is not looked up here"
                return _Unknown(message=message, advice="name accounts or groups")
            case OwnerKind.NAME:
                return self._of_name(owner.name)

    def _of_name(self, name: str) -> str | _Unknown:
        if name.lower() in self._here:
            return self._here[name.lower()]
        if self._known is None:
            message = f"'@{name}' is not known: relations are kept elsewhere, and only those who take part in the change are known here"
            return _Unknown(message=message, advice="write the owners of this path where relations are kept", told="/" in name)
        refs = [ref for ref in self._known.get(name.lower(), ()) if ref.partition(":")[0] in _KINDS]
        if len(refs) == 1:
            return refs[0] + _KINDS[refs[0].partition(":")[0]]
        if refs:
            message = f"expected a name of one, found '@{name}', the name of {len(refs)}: {', '.join(refs[:3])}"
            return _Unknown(message=message, advice="it is one again when the forge has been synchronised")
        message = f"expected an account, a team or an organisation that is known here, found '@{name}'"
        return _Unknown(message=message, advice="correct the name, or give them access to the repository and synchronise again")


def _path(one: Covering, object: str, owners: list[Json]) -> dict[str, Json]:
    rule = one.rule
    return {
        "object": object,
        "pattern": rule.pattern,
        "line": rule.line,
        "section": rule.section,
        "approvals": rule.approvals,
        "optional": rule.optional,
        "owners": owners,
        "files": list(one.files),
    }


def _problem(line: int, column: int, message: str, advice: str) -> _Problem:
    return _Problem(line=line, column=column, document={"line": line, "column": column, "message": message, "advice": advice})


def _told(problems: Sequence[_Problem]) -> Iterator[Json]:
    """The first of them in the file's order, each once."""
    distinct = {(one.line, one.column): one.document for one in reversed(problems)}
    ordered = [document for _, document in sorted(distinct.items(), key=lambda one: one[0])]
    yield from ordered[:_MOST_PROBLEMS]
    if len(ordered) > _MOST_PROBLEMS:
        yield {**ordered[_MOST_PROBLEMS], "message": f"{len(ordered) - _MOST_PROBLEMS} more places name nobody, the first of them here"}
