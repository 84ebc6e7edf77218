"""The line of an author's file that a problem is about, shown beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gateway.cli.safe_text import one_line
from policies.errors import BundleRefused, Problem


def source_line(problem: Problem, files: Mapping[str, bytes]) -> str | None:
    """The line it names, without its end; None where it names none of these files."""
    content = files.get(problem.path or "")
    lines = content.decode(errors="replace").splitlines() if content is not None and problem.line else []
    number = problem.line or 0
    return lines[number - 1].rstrip() if 0 < number <= len(lines) else None


def told(refused: BundleRefused) -> Iterator[str]:
    """Every problem on a line of its own, with the line it is about under it where that is at hand."""
    yield f"bundle '{refused.bundle}' is refused:"
    for problem in refused.problems:
        yield f"  {problem}"
        if (line := source_line(problem, refused.files)) is not None:
            yield f"      {problem.line} | {one_line(line)}"
