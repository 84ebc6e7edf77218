"""A bundle proven: checked, and its Rego tests and its cases come out as its author says. What comes into force has to be.

Separate from checking (`policies.bundles.checking`), because a case is a whole judgement, with relations.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from policies.bundles import Bundle, BundleFiles
from policies.bundles.cases import read_cases
from policies.bundles.checking import checked_bundle
from policies.engines import PolicyEngine
from policies.errors import BundleRefused, Problem
from policies.trials import TriedCase, tried, why_failed

_ADVICE = "run: admit test DIR"


async def proven_bundle(files: BundleFiles, engine: PolicyEngine, *, opa: Path | None = None) -> Bundle:
    """The bundle in these files, whose tests and cases all pass. opa: as in `checked_bundle`.

    Raises BundleRefused with every problem of the first step that found any; EngineError where the engine could not be asked.
    """
    bundle = await checked_bundle(files, engine, opa=opa)
    failed = [one for one in await tried(read_cases(bundle), bundle, engine) if not one.passed]
    if failed:
        raise BundleRefused(bundle.name, [problem for one in failed for problem in _problems(one)])
    return bundle


def _problems(one: TriedCase) -> Iterator[Problem]:
    for why in why_failed(one):
        yield Problem(path=one.case.path, line=one.case.line, message=f"case '{one.case.name}' failed: {why}", advice=_ADVICE)
