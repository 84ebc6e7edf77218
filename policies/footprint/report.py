"""What following a policy comes to: its footprint, and the references that lead nowhere, in words for its author."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from policies.bundles.syntax import Program, RulePath
from policies.errors import Problem
from policies.footprint.documents import Documents
from policies.footprint.follower import Follower, TooMuch
from policies.footprint.model import Footprint, Unfollowed, written
from policies.footprint.notes import Notes, Site
from policies.footprint.values import Missing, Never, NoData, Shapes, shape_of
from policies.model import JsonObject
from policies.nearest import nearest
from policies.schema import described, top_shape, types_of
from policies.values import value

_NAMES_SHOWN = 12


@value
class Subject:
    """A policy to follow: its package, the rules that are evaluated, its parameters."""

    package: tuple[str, ...]
    rules: tuple[str, ...]
    parameters: JsonObject


def footprint_of(subject: Subject, program: Program) -> Footprint:
    """What a policy can look at."""
    follower = _follower(program, subject)
    try:
        for rule in subject.rules:
            follower.output((*subject.package, rule))
    except (TooMuch, RecursionError):
        return Footprint(paths=((),), dynamic=True, unfollowed=())
    notes = follower.notes
    return Footprint(paths=tuple(sorted(notes.reads)), dynamic=notes.dynamic, unfollowed=tuple(sorted(set(_unfollowed(notes, program)))))


def lost_references(subjects: Iterable[Subject], program: Program, data: JsonObject) -> Iterator[Problem]:
    """Every reference to a fact, parameter or piece of data that does not exist, in the rules of these policies and in all others.

    Rules of a policy's package that nothing reaches are followed with its parameters; rules elsewhere that no policy
    reaches, with any.
    """
    listed, documents = list(subjects), Documents(dict(data), program)
    for subject in listed:
        own = [path for path in program.paths() if path[:-1] == subject.package]
        yield from _lost(_follower(program, subject, documents), own, subject)
    packages = {subject.package for subject in listed}
    others = [path for path in program.paths() if path[:-1] not in packages]
    yield from _lost(Follower(program, Shapes(top_shape(), {}), documents), others, None)


def _follower(program: Program, subject: Subject, documents: Documents | None = None) -> Follower:
    parameters = {"type": "object", "additionalProperties": False, "properties": {}, **shape_of(dict(subject.parameters))}
    return Follower(program, Shapes(top_shape(), parameters), documents)


def _lost(follower: Follower, paths: Iterable[RulePath], subject: Subject | None) -> Iterator[Problem]:
    try:
        follower.follow(paths)
    except TooMuch:
        where = "the packages no policy lists" if subject is None else f"package {'.'.join(subject.package)}"
        yield Problem(
            message=f"{where}: expected rules whose every way from the input can be followed, found too many", advice="split them"
        )
        return
    for site, missing in follower.notes.lost():
        message, advice = _words(site, missing, subject)
        for line in site.lines(follower.program):
            yield Problem(path=site.module.path, line=line, message=message, advice=advice)


def _words(site: Site, missing: Missing | Never | NoData, subject: Subject | None) -> tuple[str, str | None]:
    match missing:
        case Never():
            return _never(missing)
        case NoData(path=path, step=step, names=names):
            here = ".".join(("data", *path))
            return f"{site.ref}: the bundle has no {step} in {here}", _nearest(step, list(names)) or (
                _one_of(list(names)) if names else None
            )
        case Missing():
            return _nowhere(site, missing, subject)


def _nowhere(site: Site, missing: Missing, subject: Subject | None) -> tuple[str, str | None]:
    place = written(missing.path) if missing.path == () else f"input.{written(missing.path)}"
    names = list(missing.shape.get("properties", {}))
    if missing.path == ("parameters",) and subject is not None:
        message = f"{site.ref}: bundle.yaml gives {'.'.join(subject.package)} no parameter {missing.step}"
        return message, _nearest(missing.step, names) or "add it to the policy's parameters"
    if names:
        return f"{site.ref}: {place} has no {missing.step}", _nearest(missing.step, names) or _one_of(names)
    if "array" in types_of(missing.shape):
        return f"{site.ref}: {place} is a list, found the name {missing.step!r} where an item belongs", "write: some item in …"
    return f"{site.ref}: {place} is {described(missing.shape)}, with nothing inside", None


def _never(never: Never) -> tuple[str, str | None]:
    told = f"input.{written(never.path)} is never {json.dumps(never.literal, ensure_ascii=False)}"
    if "enum" in never.shape:
        words = [str(word) for word in never.shape["enum"] if word is not None]
        return told, _nearest(str(never.literal), words) or _one_of(words)
    return f"{told}: it is {described(never.shape)}", None


def _nearest(step: str | int | None, names: list[str]) -> str | None:
    near = nearest(step, names)
    return f"did you mean {near}?" if near else None


def _one_of(names: list[str]) -> str:
    shown = ", ".join(names[:_NAMES_SHOWN])
    return f"expected one of {shown}" + (", …" if len(names) > _NAMES_SHOWN else "")


def _unfollowed(notes: Notes, program: Program) -> Iterator[Unfollowed]:
    for site, why in notes.not_followed():
        for line in site.lines(program):
            yield Unfollowed(path=site.module.path, line=line, reference=str(site.ref), why=why)
