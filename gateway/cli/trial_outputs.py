"""What `admit test` found, written for people, for scripts and for CI systems that read JUnit."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from xml.etree import ElementTree

from gateway.cli.safe_text import one_line, xml_text
from gateway.cli.trial import FileCoverage, ProblemShown, Trial, percent_of
from policies.trials import TriedCase, why_failed


def render(output: str, trials: Sequence[Trial], *, threshold: float | None) -> str:
    """`output`: text, json or junit."""
    writers: dict[str, Callable[[Sequence[Trial], float | None], str]] = {"text": _text, "json": _json, "junit": _junit}
    return writers[output](trials, threshold)


def below(trial: Trial, threshold: float | None) -> bool:
    """Whether too little of the bundle is reached by its tests."""
    return threshold is not None and trial.percent is not None and trial.percent < threshold


def _text(trials: Sequence[Trial], threshold: float | None) -> str:
    return "\n".join(line for trial in trials for line in _lines(trial, threshold)) + "\n"


def _lines(trial: Trial, threshold: float | None) -> Iterator[str]:
    if trial.problems:
        yield f"CANNOT   {one_line(trial.name)}  ({trial.source})"
        for shown in trial.problems:
            yield from _problem(shown)
        return
    verdict = "FAILED" if trial.failed or below(trial, threshold) else "PASSED"
    counts = f"{len(trial.tests)} tests, {len(trial.cases)} cases" + (f", {trial.failed} failed" if trial.failed else "")
    yield f"{verdict:<9}{one_line(trial.name)}: {counts}  ({trial.source})"
    for test in trial.tests:
        if not test.passed:
            yield f"  - {test.name}  ({test.path}{f':{test.line}' if test.line else ''})"
            yield from (f"      {one_line(line)}" for line in (test.message or "").splitlines())
    for tried in trial.cases:
        if not tried.passed:
            yield f"  - {one_line(tried.case.name)}  ({tried.case.path}:{tried.case.line})"
            yield from (f"      {one_line(line)}" for line in why_failed(tried))
    if trial.coverage is not None:
        yield from _coverage(trial.coverage, threshold)


def _problem(shown: ProblemShown) -> Iterator[str]:
    yield f"  - {one_line(str(shown.problem))}"
    if shown.source is not None:
        yield f"      {shown.problem.line} | {one_line(shown.source)}"


def _coverage(files: Sequence[FileCoverage], threshold: float | None) -> Iterator[str]:
    wanted = f", expected at least {threshold:g} %" if threshold is not None else ""
    yield f"  coverage {percent_of(files):.1f} % of lines{wanted}"
    for file in files:
        missed = f"  not reached: {ranges(file.missed)}" if file.missed else ""
        yield f"    {percent_of([file]):5.1f} %  {file.path}{missed}"


def ranges(lines: Sequence[int]) -> str:
    """`4, 6-9, 12`."""
    runs: list[list[int]] = []
    for line in sorted(lines):
        if runs and line == runs[-1][1] + 1:
            runs[-1][1] = line
        else:
            runs.append([line, line])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def _json(trials: Sequence[Trial], threshold: float | None) -> str:
    return json.dumps([_document(trial, threshold) for trial in trials], indent=2, ensure_ascii=False) + "\n"


def _document(trial: Trial, threshold: float | None) -> dict[str, Any]:
    passed = not trial.problems and not trial.failed and not below(trial, threshold)
    return {
        "source": trial.source,
        "bundle": trial.name,
        "passed": passed,
        "problems": [
            {"message": p.problem.message, "path": p.problem.path, "line": p.problem.line, "advice": p.problem.advice, "source": p.source}
            for p in trial.problems
        ],
        "tests": [{"name": t.name, "path": t.path, "line": t.line, "passed": t.passed, "message": t.message} for t in trial.tests],
        "cases": [_case(tried) for tried in trial.cases],
        "coverage": None
        if trial.coverage is None
        else {
            "percent": round(percent_of(trial.coverage), 2),
            "threshold": threshold,
            "files": {file.path: {"covered": list(file.covered), "not_covered": list(file.missed)} for file in trial.coverage},
        },
    }


def _case(tried: TriedCase) -> dict[str, Any]:
    return {
        "name": tried.case.name,
        "path": tried.case.path,
        "line": tried.case.line,
        "passed": tried.passed,
        "outcome": tried.verdict.outcome.value if tried.verdict else None,
        "differences": [{"what": d.what, "expected": d.expected, "found": d.found} for d in tried.differences],
        "error": tried.error,
    }


def _junit(trials: Sequence[Trial], threshold: float | None) -> str:
    root = ElementTree.Element("testsuites", name="admit test")
    for trial in trials:
        suite = ElementTree.SubElement(root, "testsuite", name=xml_text(trial.name))
        for test in trial.tests:
            package, _, name = test.name.rpartition(".")
            _element(suite, package, name, test.seconds, None if test.passed else (test.message or "failed"))
        for tried in trial.cases:
            _element(suite, tried.case.path, tried.case.name, tried.seconds, None if tried.passed else "\n".join(why_failed(tried)))
        if below(trial, threshold):
            _element(suite, trial.name, "coverage", 0.0, f"expected at least {threshold:g} % of lines, found {trial.percent:.1f} %")
        for shown in trial.problems:
            element = ElementTree.SubElement(suite, "testcase", classname=xml_text(trial.name), name="the bundle can be tried")
            ElementTree.SubElement(element, "error", message=xml_text(str(shown.problem)))
        found = {"failures": len(suite.findall("testcase/failure")), "errors": len(suite.findall("testcase/error"))}
        suite.attrib.update(tests=str(len(suite)), **{key: str(value) for key, value in found.items()})
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _element(suite: ElementTree.Element, group: str, name: str, seconds: float, failure: str | None) -> None:
    element = ElementTree.SubElement(suite, "testcase", classname=xml_text(group), name=xml_text(name), time=f"{seconds:.3f}")
    if failure is not None:
        child = ElementTree.SubElement(element, "failure", message=xml_text(failure.splitlines()[0] if failure else "failed"))
        child.text = xml_text(failure)
