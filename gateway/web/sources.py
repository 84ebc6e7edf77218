"""Where a policy's rule is written, for those who want to read it: from the very bundles a decision was judged by."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gateway.api.services import Services
from gateway.domain.record import Decision
from gateway.errors import GatewayError
from policies import PolicyId
from policies.bundles import Bundle
from policies.errors import PolicyError


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSource:
    """One policy as its author wrote it. modules: path → Rego; one package may stand in several files."""

    title: str | None
    description: str | None
    modules: Mapping[str, str]


async def rule_sources(asked: Services, decision: Decision) -> Mapping[PolicyId, RuleSource]:
    """Of every policy that was asked; those whose bundle cannot be read any more are missing."""
    found: dict[PolicyId, RuleSource] = {}
    for id in decision.bundles:
        try:
            bundle = await asked.in_force.bundle(id)
        except (GatewayError, PolicyError):
            continue
        found |= dict(_sources(bundle))
    return found


def _sources(bundle: Bundle) -> Iterator[tuple[PolicyId, RuleSource]]:
    for policy in bundle.policies:
        package = re.compile(rf"^package\s+{re.escape(policy.id.package)}\s*(#.*)?$", re.MULTILINE)
        modules = {path: text for path, text in sorted(bundle.modules.items()) if package.search(text)}
        yield policy.id, RuleSource(title=policy.title, description=policy.description, modules=modules)
