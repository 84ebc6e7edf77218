"""What `admit test` found in one bundle: its Rego tests, its cases and how much of its policies the tests reached."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.cli.source_lines import source_line
from policies.bundles import Bundle
from policies.bundles.cases import read_cases
from policies.bundles.checking import checked_bundle
from policies.bundles.directory import read_bundle
from policies.engines import PolicyEngine, TestReport
from policies.errors import BundleRefused, EngineError, Problem
from policies.trials import TriedCase, tried


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemShown:
    """A problem of a bundle with the source line it is about, where it has one."""

    problem: Problem
    source: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCoverage:
    """The lines of one policy file that some test reached, and those that none did."""

    path: str
    covered: tuple[int, ...]
    missed: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegoTest:
    """One `test_` rule, with the line it stands on."""

    name: str
    path: str
    line: int | None
    passed: bool
    message: str | None
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One folder or archive tried. `problems`: why it could not be; then there is nothing else."""

    source: str
    name: str
    tests: tuple[RegoTest, ...] = ()
    cases: tuple[TriedCase, ...] = ()
    coverage: tuple[FileCoverage, ...] | None = None
    problems: tuple[ProblemShown, ...] = ()

    @property
    def failed(self) -> int:
        return sum(not test.passed for test in self.tests) + sum(not tried.passed for tried in self.cases)

    @property
    def percent(self) -> float | None:
        """Covered lines of all lines that could be, as `opa test --coverage` counts; None if it was not asked for."""
        return None if self.coverage is None else percent_of(self.coverage)


def percent_of(files: Sequence[FileCoverage]) -> float:
    """Of lines, over all files together. Without any line there is nothing left out."""
    covered, missed = sum(len(file.covered) for file in files), sum(len(file.missed) for file in files)
    return 100.0 * covered / (covered + missed) if covered + missed else 100.0


async def tried_bundle(source: Path, engine: PolicyEngine, *, coverage: bool, opa: Path | None = None) -> Trial:
    """Everything the bundle tests itself with. Raises nothing: what cannot be tried has problems, a missing engine is one."""
    files = None
    try:
        files = read_bundle(source)
        bundle = await checked_bundle(files, engine, run_tests=False, opa=opa)
        report = await engine.test(bundle, coverage=coverage)
        cases = await tried(read_cases(bundle), bundle, engine)
    except BundleRefused as refused:
        shown = tuple(
            ProblemShown(problem=problem, source=source_line(problem, files.files if files else {})) for problem in refused.problems
        )
        return Trial(source=str(source), name=refused.bundle, problems=shown)
    except EngineError as problem:
        return Trial(source=str(source), name=source.name, problems=(_plain(Problem(message=str(problem), advice=problem.advice)),))
    if not report.cases and not cases:
        nothing = Problem(message="expected tests, found neither a test_ rule nor a case", advice="add a *_test.rego or a *.case file")
        return Trial(source=str(source), name=bundle.name, problems=(_plain(nothing),))
    return Trial(source=str(source), name=bundle.name, tests=_tests(report, bundle), cases=cases, coverage=_coverage(report))


def _plain(problem: Problem) -> ProblemShown:
    return ProblemShown(problem=problem, source=None)


def _tests(report: TestReport, bundle: Bundle) -> tuple[RegoTest, ...]:
    return tuple(
        RegoTest(
            name=case.name,
            path=case.path,
            line=_line_of(case.name.rpartition(".")[2], bundle.tests.get(case.path, "")),
            passed=case.passed,
            message="\n".join([*([case.message] if case.message else []), *case.found]) or None,
            seconds=case.seconds,
        )
        for case in report.cases
    )


def _line_of(rule: str, source: str) -> int | None:
    found = re.search(rf"^{re.escape(rule)}\b", source, re.MULTILINE)
    return source.count("\n", 0, found.start()) + 1 if found else None


def _coverage(report: TestReport) -> tuple[FileCoverage, ...] | None:
    if report.coverage is None:
        return None
    return tuple(
        FileCoverage(path=path, covered=tuple(covered), missed=tuple(missed)) for path, (covered, missed) in sorted(report.coverage.items())
    )
