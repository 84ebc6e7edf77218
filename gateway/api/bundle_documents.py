"""Bundles, generations and audit events as JSON: what `/v1/bundles` answers with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.domain.audit import AuditEvent
from gateway.domain.record import Generation
from gateway.storage import BundleRevision
from policies import PolicyId, rfc3339
from policies.bundles import Bundle, Match, Policy
from policies.bundles.matching import CHANGE_FACETS, WORKFLOW_FACETS
from policies.footprint import Footprint
from policies.model import Action


def generation_summary(generation: Generation) -> dict[str, Any]:
    """Which generation this is about, and since when it is in force."""
    return {"number": generation.number, "activated_at": rfc3339(generation.activated_at), "by": generation.by}


def bundle_summary(bundle: Bundle, generation: Generation) -> dict[str, Any]:
    """One bundle in force, in short."""
    return {
        "name": bundle.name,
        "revision": bundle.revision,
        "digest": bundle.digest,
        "managed_by": "file" if bundle.name in generation.by_file else "api",
        "policies": len(bundle.policies),
    }


def bundle_document(bundle: Bundle, generation: Generation, footprints: Mapping[PolicyId, Footprint]) -> dict[str, Any]:
    """One bundle in force, whole. `bundle` is as its manifest says; the generation says what is enforced."""
    chosen = dict(generation.enforcement)
    policies = [
        {**_policy(policy, footprints.get(policy.id)), "enforcement": chosen.get(policy.id, policy.enforcement).value}
        for policy in bundle.policies
    ]
    return {**bundle_summary(bundle, generation), "policies": policies, "files": sorted(bundle.files)}


def revision_document(revision: BundleRevision, in_force: str | None) -> dict[str, Any]:
    """A revision; `in_force`: the digest of the one that is."""
    return {
        "revision": revision.bundle.revision,
        "digest": revision.bundle.digest,
        "first_in_force_at": rfc3339(revision.at),
        "by": revision.by,
        "generation": revision.generation,
        "in_force": revision.bundle.digest == in_force,
    }


def event_document(event: AuditEvent) -> dict[str, Any]:
    """Who did what, when."""
    return {"at": rfc3339(event.at), "who": event.who, "what": event.what, "about": event.about, "details": dict(event.details)}


def _policy(policy: Policy, footprint: Footprint | None) -> dict[str, Any]:
    return {
        "package": policy.id.package,
        "title": policy.title,
        "description": policy.description,
        "match": _match(policy.match),
        "manifest_enforcement": policy.enforcement.value,
        "parameters": dict(policy.parameters),
        "rules": list(policy.rules),
        "footprint": None if footprint is None else footprint_document(footprint),
    }


def footprint_document(footprint: Footprint) -> dict[str, Any]:
    """Which facts a policy can look at. dynamic: any of them."""
    return {
        "reads": list(footprint.written),
        "dynamic": footprint.dynamic,
        "unchecked": [str(reference) for reference in footprint.unfollowed],
    }


def _match(match: Match) -> dict[str, Any]:
    facets = CHANGE_FACETS if match.action is Action.MERGE else WORKFLOW_FACETS
    document: dict[str, Any] = {"action": match.action.value, **{facet: list(getattr(match, facet)) for facet in facets}}
    if match.exclude:
        document["exclude"] = {facet: list(globs) for facet, globs in match.exclude.items()}
    return document
