"""Rego tests: which there are, how each is asked, and what its answer means.

As `opa test`, with one difference that a gate wants: a test that raises has failed, whatever
raised (strict builtin errors; open-policy-agent/conftest#355). Each test is evaluated by itself,
without an input, in the same pinned world as policies; its clock is the wall's, read once.
https://www.openpolicyagent.org/docs/policy-testing
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeAlias

from policies.bundles.model import Bundle
from policies.engines.checks import package_of, rule_names
from policies.engines.failed_tests import what_failed
from policies.engines.port import TestCase, TestReport
from policies.engines.queries import dotted, reached_by, reference, walled
from policies.engines.reserved import RESERVED_MODULES
from policies.errors import EngineCrashed, EngineError, EngineTimedOut, Problem
from policies.model import Json

Envelope: TypeAlias = "dict[str, Any]"
"""OPA's answer to one query: `result` or `error`, with `prints`, `coverage` and `trace`."""


class Ask(Protocol):
    """Evaluates queries on a bundle with its tests, each by itself."""

    async def __call__(self, bundle: Bundle, queries: Sequence[str], *, coverage: bool, trace: bool) -> list[Envelope]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Test:
    package: str
    name: str
    path: str

    def query(self, now: int, walls: str) -> str:
        return f"value := {reference(self.package, self.name)} with time.now_ns as {now} {walls}"


async def run(bundle: Bundle, trees: Mapping[str, Json | Problem], ask: Ask, *, coverage: bool) -> TestReport:
    """Run every `test_` rule of the bundle's test modules."""
    now, walls = time.time_ns(), walled(reached_by(trees.values()))
    cases, reports = [], []
    for test in _tests(bundle, trees):
        started = time.perf_counter()
        envelope = await _answer(bundle, test.query(now, walls), ask, coverage=coverage)
        case = _case(test, envelope, time.perf_counter() - started)
        if not envelope.get("error") and not envelope.get("result"):
            case = replace(case, found=await _found(test, test.query(now, walls), bundle, ask))
        cases.append(case)
        reports.append(envelope.get("coverage"))
    return TestReport(cases=tuple(cases), coverage=_merged(bundle, reports) if coverage else None)


async def _answer(bundle: Bundle, query: str, ask: Ask, *, coverage: bool) -> Envelope:
    """A test that had to be stopped has failed; the others are run all the same."""
    try:
        (envelope,) = await ask(bundle, [query], coverage=coverage, trace=False)
    except (EngineTimedOut, EngineCrashed) as problem:
        return {"error": {"message": str(problem)}}
    return envelope


async def _found(test: _Test, query: str, bundle: Bundle, ask: Ask) -> tuple[str, ...]:
    """What the expression saw that failed, from a second run; a test that now takes too long has failed all the same."""
    try:
        (envelope,) = await ask(bundle, [query], coverage=False, trace=True)
    except EngineError:
        return ()
    return what_failed(envelope.get("trace") or (), test.path, bundle.tests[test.path])


def _tests(bundle: Bundle, trees: Mapping[str, Json | Problem]) -> Iterator[_Test]:
    for path in bundle.tests:
        tree = trees[path]
        if not isinstance(tree, Problem):
            package = dotted(package_of(tree))
            yield from (_Test(package=package, name=name, path=path) for name in rule_names(tree) if name.startswith("test_"))


def _case(test: _Test, envelope: Envelope, seconds: float) -> TestCase:
    passed, message = _outcome(envelope)
    prints = envelope.get("prints") or []
    printed = "\n".join(f"{each['location']}: {each['message']}" if each["location"] else each["message"] for each in prints)
    text = "\n".join(part for part in (message, printed) if part) or None
    return TestCase(name=f"{test.package}.{test.name}", path=test.path, passed=passed, message=text, seconds=seconds)


def _outcome(envelope: Envelope) -> tuple[bool, str | None]:
    error = envelope.get("error")
    if error:
        return False, str(error["message"])
    result = envelope.get("result") or []
    if not result:
        return False, "expected true, found nothing: an expression of the test was false or undefined"
    value = result[0]["bindings"]["value"]
    failed = [name for name, each in _table(value) if each is not True]
    if not failed:
        return True, None
    return False, f"expected true, found {value!r}" if not isinstance(value, dict) else f"these cases are not true: {', '.join(failed)}"


def _table(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    """A test may be a table of named cases, as deep as it likes; an empty table tests nothing, which is no success."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _table(inner, f"{name}/{key}" if name else str(key))
    else:
        yield name, value


def _merged(bundle: Bundle, reports: Sequence[Mapping[str, Any] | None]) -> dict[str, tuple[Sequence[int], Sequence[int]]]:
    """Covered = by any test; not covered = by none. Only the bundle's own policies, not its tests."""
    covered: dict[str, set[int]] = {path: set() for path in bundle.modules}
    known: dict[str, set[int]] = {path: set() for path in bundle.modules}
    for report in reports:
        for path, file in (report or {}).get("files", {}).items():
            if path in covered and path not in RESERVED_MODULES:
                covered[path] |= _lines(file.get("covered"))
                known[path] |= _lines(file.get("covered")) | _lines(file.get("not_covered"))
    return {path: (sorted(lines), sorted(known[path] - lines)) for path, lines in covered.items()}


def _lines(ranges: Sequence[Mapping[str, Any]] | None) -> set[int]:
    return {line for each in ranges or () for line in range(each["start"]["row"], each["end"]["row"] + 1)}
