"""From files nobody trusts to a bundle that may judge: everything is checked, and every problem found is told at once.

1. the files: names, sizes, UTF-8, the two manifests, data
2. the syntax trees: what a bundle may not do, what it has to have
3. the engine: does it compile; and, where there is an `opa` binary, a second opinion on names
4. the bundle's own tests

A step begins only when the one before found nothing, because its answers would be noise.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TypeAlias

from policies.bundles.contents import ADMIT_FILE, Contents, read_contents
from policies.bundles.limits import MAX_BYTES, MAX_FILES
from policies.bundles.manifest import MANIFEST_FILE, ListedPolicy, Manifest, ManifestRefused, NoManifest, read_manifest
from policies.bundles.model import Bundle, Policy
from policies.bundles.port import BundleFiles
from policies.bundles.rules import (
    COUNTS,
    EVALUATED,
    data_under_rules,
    own_schemas,
    questions_that_read_answers,
    refused_builtins,
    reserved_names,
    unlisted_rules,
    wrong_shapes,
)
from policies.bundles.syntax import Metadata, Module, Places, Program, RulePath, metadata_of, module_from_tree
from policies.canonical import canonical, digest
from policies.engines.port import PolicyEngine, TestCase
from policies.engines.queries import components, dotted
from policies.engines.reserved import RESERVED_ROOTS
from policies.errors import BundleRefused, Problem
from policies.footprint import Subject, lost_references
from policies.loop import aside
from policies.model import Digest, Json, PolicyId
from policies.nearest import nearest

Parse: TypeAlias = Callable[[Mapping[str, str]], Awaitable[Mapping[str, "Json | Problem"]]]

_REVISION_DIGITS = 12
_PROBLEMS_SHOWN = 100


async def checked_bundle(
    files: BundleFiles,
    engine: PolicyEngine,
    *,
    run_tests: bool = True,
    opa: Path | None = None,
    fair_share: str = "",
    deadline: float | None = None,
) -> Bundle:
    """The bundle in these files, fit to judge.

    opa: the binary to ask for a second opinion on names; what it finds is refused too.
    fair_share, deadline: whose work parsing and compiling is, and the seconds each may take (as in `PolicyEngine.parse`).
    Raises BundleRefused with every problem of the first step that found any; EngineError where the engine could not be asked.
    """
    try:
        return await _checked(files, engine, run_tests=run_tests, opa=opa, fair_share=fair_share, deadline=deadline)
    except BundleRefused as refused:
        refused.files = files.files
        raise


async def _checked(
    files: BundleFiles, engine: PolicyEngine, *, run_tests: bool, opa: Path | None, fair_share: str, deadline: float | None
) -> Bundle:
    contents = await aside(read_contents, files.files)
    manifest = _manifest(files, contents)
    try:
        program = await _parsed(manifest.name, contents, partial(engine.parse, fair_share=fair_share, deadline=deadline))
        problems = await aside(_static_problems, manifest, contents, program)
    except RecursionError:
        # Rego and Python differ in how deep they go: what cannot be looked through is not taken on trust.
        problems = [Problem(message="expected rules and terms that lead into each other less deeply", advice="split the deepest ones")]
    _refuse(manifest.name, problems)
    bundle = _bundle(files, manifest, contents, program)
    await engine.compile(bundle, fair_share=fair_share, deadline=deadline)
    await second_opinion(bundle, opa)
    if run_tests and bundle.tests:
        report = await engine.test(bundle)
        _refuse(bundle.name, [_failed(case) for case in report.cases if not case.passed])
    return bundle


async def second_opinion(bundle: Bundle, opa: Path | None) -> None:
    """Raises BundleRefused for names the `opa` binary does not find in the input; nothing where there is no binary."""
    if opa is not None:
        from policies.bundles.second_opinion import lost_by_opa

        _refuse(bundle.name, list(await lost_by_opa(bundle.modules, opa)))


def bundle_digest(files: Mapping[str, bytes]) -> Digest:
    """What identifies a bundle: over every file's path and SHA-256, so that the way it was packed does not count."""
    return digest("bundle", canonical([[path, hashlib.sha256(content).hexdigest()] for path, content in sorted(files.items())]))


def _refuse(name: str, problems: list[Problem]) -> None:
    distinct = list(dict.fromkeys(problems))
    if len(distinct) > _PROBLEMS_SHOWN:
        distinct[_PROBLEMS_SHOWN:] = [Problem(message=f"and {len(distinct) - _PROBLEMS_SHOWN:,} problems more")]
    if distinct:
        raise BundleRefused(name, distinct)


def _manifest(files: BundleFiles, contents: Contents) -> Manifest:
    problems = [*_too_much(files.files), *contents.problems]
    try:
        manifest = read_manifest(files.files)
    except NoManifest as none:
        raise BundleRefused(files.name, none.problems) from none
    except ManifestRefused as refused:
        raise BundleRefused(files.name, [*refused.problems, *problems]) from refused
    _refuse(manifest.name, problems)
    return manifest


def _too_much(files: Mapping[str, bytes]) -> Iterator[Problem]:
    if len(files) > MAX_FILES:
        yield Problem(message=f"expected at most {MAX_FILES:,} files, found {len(files):,}", advice="split the bundle")
    if sum(map(len, files.values())) > MAX_BYTES:
        yield Problem(message=f"expected at most {MAX_BYTES // 1_000_000} MB in all files together, found more", advice="split the bundle")


async def _parsed(name: str, contents: Contents, parse: Parse) -> Program:
    """Every module and test; tests come last. The editors' copy of `data.admit` is looked at, and left out."""
    sources = {**contents.modules, **contents.tests}
    editors = {ADMIT_FILE: contents.admit} if contents.admit is not None else {}
    trees = await parse({**sources, **editors})
    _refuse(name, [tree for tree in trees.values() if isinstance(tree, Problem)])
    modules = {path: module_from_tree(path, source, trees[path]) for path, source in {**sources, **editors}.items()}  # type: ignore[arg-type]
    if editors and (found := modules.pop(ADMIT_FILE)).package != ("admit",):
        message = f"expected the editors' copy of package admit, found package {found.package_name}"
        _refuse(name, [Problem(path=ADMIT_FILE, line=Places(found).package(), message=message, advice="rename the file")])
    return Program(modules.values())


def _static_problems(manifest: Manifest, contents: Contents, program: Program) -> list[Problem]:
    judging = Program(module for module in program.modules if module.path in contents.modules)
    problems: list[Problem] = []
    for module in program.modules:
        problems += [*reserved_names(module, program), *refused_builtins(module, program), *own_schemas(module)]
        problems += _outside_roots(module, contents, program)
    for module in judging.modules:
        problems += wrong_shapes(module, judging)
    problems += data_under_rules(contents.data, judging)
    problems += [_reserved_key(root) for root in RESERVED_ROOTS if root in contents.data]
    for listed in manifest.policies:
        problems += _missing(listed, judging)
        problems += questions_that_read_answers(components(listed.package), judging)
    problems += lost_references(_subjects(manifest, judging), judging, contents.data)
    return problems or list(unlisted_rules(judging, contents.modules, frozenset(components(p.package) for p in manifest.policies)))


def _subjects(manifest: Manifest, program: Program) -> list[Subject]:
    return [
        Subject(package=package, rules=_evaluated(package, program), parameters=listed.parameters)
        for listed in manifest.policies
        if _evaluated(package := components(listed.package), program)
    ]


def _evaluated(package: RulePath, program: Program) -> tuple[str, ...]:
    return tuple(sorted(name for name in program.names_of(package) if EVALUATED.fullmatch(name)))


def _outside_roots(module: Module, contents: Contents, program: Program) -> Iterator[Problem]:
    if not contents.opa.permits(module.package):
        roots = ", ".join("/".join(root) for root in contents.opa.roots)
        message = f"package {module.package_name} lies under none of the roots of .manifest ({roots})"
        yield Problem(path=module.path, line=program.places(module).package(), message=message, advice="add its root to .manifest")


def _reserved_key(root: str) -> Problem:
    return Problem(message=f"expected data of the bundle's own, found data.{root}: {root} is reserved", advice="rename it")


def _missing(listed: ListedPolicy, program: Program) -> Iterator[Problem]:
    package = components(listed.package)
    if not any(module.package == package for module in program.modules):
        message = f"package {listed.package} is listed, but no file declares it"
        yield Problem(path=MANIFEST_FILE, line=listed.line, message=message, advice=_nearest(listed.package, program))
    elif not any(COUNTS.fullmatch(name) for name in program.names_of(package)):
        message = f"package {listed.package} has no deny, violation, warn or hold rule"
        yield Problem(path=MANIFEST_FILE, line=listed.line, message=message, advice="add one or remove it from bundle.yaml")


def _nearest(package: str, program: Program) -> str:
    near = nearest(package, {module.package_name for module in program.modules})
    return f"did you mean {near}?" if near else "add the file or remove it from bundle.yaml"


def _failed(case: TestCase) -> Problem:
    """A failed test, with what the engine saw of it, on the line that begins with, if it does."""
    told, line = "; ".join(text.strip() for text in case.found) or case.message or "", None
    if (place := re.match(rf"{re.escape(case.path)}:(\d+): ", told)) is not None:
        told, line = told[place.end() :], int(place.group(1))
    message = f"test {case.name} failed" + (f": {told}" if told else "")
    return Problem(path=case.path, line=line, message=message, advice="run: admit test DIR")


def _bundle(files: BundleFiles, manifest: Manifest, contents: Contents, program: Program) -> Bundle:
    identity = bundle_digest(files.files)
    judging = Program(module for module in program.modules if module.path in contents.modules)
    return Bundle(
        name=manifest.name,
        revision=manifest.revision or contents.opa.revision or identity.removeprefix("sha256:")[:_REVISION_DIGITS],
        digest=identity,
        policies=tuple(_policy(manifest.name, listed, judging) for listed in manifest.policies),
        modules=contents.modules,
        tests=contents.tests,
        data=contents.data,
        files=dict(sorted(files.files.items())),
    )


def _policy(bundle: str, listed: ListedPolicy, program: Program) -> Policy:
    package = components(listed.package)
    own = [module for module in program.modules if module.package == package]
    about = [block for module in own for block in _package_metadata(module)]
    return Policy(
        id=PolicyId(bundle=bundle, package=dotted(package)),
        match=listed.match,
        enforcement=listed.enforcement,
        parameters=listed.parameters,
        rules=_evaluated(package, program),
        title=next((title for block in about if (title := block.text("title"))), None),
        description=next((text for block in about if (text := block.text("description"))), None),
    )


def _package_metadata(module: Module) -> Iterator[Metadata]:
    """The METADATA above `package`, or one that says it is about the package."""
    line = Places(module).package()
    return (
        block for block in metadata_of(module) if block.text("scope") == "package" or (block.end < line and block.text("scope") is None)
    )
