"""The footprints of a bundle that has been checked before: what `admit bundle impact` lists and the gateway skips by."""

from __future__ import annotations

from collections.abc import Mapping

from policies.bundles.model import Bundle
from policies.bundles.syntax import Program, module_from_tree
from policies.engines.port import PolicyEngine
from policies.engines.queries import components
from policies.errors import BundleRefused, Problem
from policies.footprint.model import Footprint
from policies.footprint.report import Subject, footprint_of
from policies.loop import aside
from policies.model import PolicyId


async def footprints(bundle: Bundle, engine: PolicyEngine, *, fair_share: str = "") -> Mapping[PolicyId, Footprint]:
    """What each policy of a bundle can look at. fair_share: as in an evaluation.

    Raises BundleRefused where a module does not parse, EngineError where the engine could not be asked.
    """
    trees = await engine.parse(bundle.modules, fair_share=fair_share)
    problems = [tree for tree in trees.values() if isinstance(tree, Problem)]
    if problems:
        raise BundleRefused(bundle.name, problems)
    program = Program(module_from_tree(path, source, trees[path]) for path, source in bundle.modules.items())  # type: ignore[arg-type]
    return await aside(_followed, bundle, program)


def _followed(bundle: Bundle, program: Program) -> Mapping[PolicyId, Footprint]:
    return {
        policy.id: footprint_of(Subject(package=components(policy.id.package), rules=policy.rules, parameters=policy.parameters), program)
        for policy in bundle.policies
    }
