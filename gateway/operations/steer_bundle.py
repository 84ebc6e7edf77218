"""Steer a published bundle: go back to a revision, set a policy's enforcement, take the bundle out of force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.domain.record import Generation
from gateway.errors import Ambiguous, UnknownThing
from gateway.operations.bring_into_force import BringIntoForce, Cause, Standing
from gateway.operations.bundle_rights import BundleRights
from gateway.operations.publish_bundle import refuse_by_file, with_bundle
from gateway.storage import BundleRevision, StoredToken
from policies import BundleId, Enforcement, PolicyId
from policies.bundles.checking import second_opinion


@dataclass(frozen=True, slots=True, kw_only=True)
class SteerBundle:
    """What can be done with a bundle without a new archive. Each is audited, and judges again whom it concerns.

    Each needs the right to publish it, and raises NotAllowed, or TemporaryError where that cannot be found out.
    opa: the binary to ask for a second opinion on what is brought back, where there is one.
    """

    bring: BringIntoForce
    rights: BundleRights
    opa: Path | None = None

    async def activate(self, name: str, revision: str, *, by: StoredToken) -> Generation:
        """Bring an earlier revision, by its label or digest, into force again.

        Raises UnknownThing, Ambiguous, ManagedByFile, BundleRefused (this version of the gateway does not load it any more).
        """
        before = await self.bring.storage.generation()
        refuse_by_file(Standing.of(before), name)
        chosen = _chosen(name, revision, await self.bring.storage.revisions(name))
        bundle = await self.bring.in_force.bundle(chosen)
        right = await self.rights(name, by, before, lambda: [policy.match for policy in bundle.policies])
        await second_opinion(bundle, self.opa)

        def altered(standing: Standing) -> Standing:
            right.hold(standing)
            return with_bundle(standing, bundle)

        details = {"revision": chosen.revision, "digest": chosen.digest, **right.granted.details()}
        return await self.bring(altered, cause=Cause(who=by.name, what="bundle.revision_activated", about=name, details=details))

    async def enforce(self, name: str, package: str, enforcement: Enforcement | None, *, by: StoredToken) -> Generation:
        """Let a policy deny, warn or run dry whatever its manifest says; None = as its manifest says.

        Stays until it is set again, through new revisions too. Raises UnknownThing, ManagedByFile, BundleRefused.
        """
        policy = PolicyId(bundle=name, package=package)
        generation = await self.bring.storage.generation()
        right = await self.rights(name, by, generation)
        bundle = await self.bring.in_force.bundle(_in_force(Standing.of(generation), name))
        manifest = {known.id: known.enforcement for known in bundle.policies}
        if policy not in manifest:
            raise UnknownThing(f"bundle '{name}' has no policy {package}; it has {', '.join(known.package for known in manifest)}")

        def altered(standing: Standing) -> Standing:
            refuse_by_file(standing, name)
            if _in_force(standing, name) != bundle.id:
                raise UnknownThing(f"bundle '{name}' was changed meanwhile: look again")
            others = {known: chosen for known, chosen in standing.enforcement.items() if known != policy}
            if enforcement is None or enforcement is manifest[policy]:
                return replace(standing, enforcement=others)
            return replace(standing, enforcement={**others, policy: enforcement})

        details = {"package": package, "enforcement": enforcement.value if enforcement else None, **right.granted.details()}
        return await self.bring(altered, cause=Cause(who=by.name, what="policy.enforcement_set", about=name, details=details))

    async def remove(self, name: str, *, by: StoredToken) -> Generation:
        """Take a bundle out of force; its revisions stay and can be activated again. Raises UnknownThing, ManagedByFile."""
        right = await self.rights(name, by, await self.bring.storage.generation())

        def without(standing: Standing) -> Standing:
            refuse_by_file(standing, name)
            _in_force(standing, name)
            right.hold(standing)
            return standing.without(name)

        cause = Cause(who=by.name, what="bundle.removed", about=name, details=right.granted.details())
        return await self.bring(without, cause=cause)


def _in_force(standing: Standing, name: str) -> BundleId:
    if name not in standing.bundles:
        raise UnknownThing(f"no bundle '{name}' is in force")
    return standing.bundles[name]


def _chosen(name: str, wanted: str, revisions: Sequence[BundleRevision]) -> BundleId:
    found = [known.bundle for known in revisions if wanted in (known.bundle.revision, known.bundle.digest)]
    if not found:
        raise UnknownThing(f"bundle '{name}' never had a revision '{wanted}' in force", advice=f"see: GET /v1/bundles/{name}/revisions")
    if len(found) > 1:
        digests = ", ".join(bundle.digest for bundle in found)
        raise Ambiguous(f"bundle '{name}' had {len(found)} revisions labelled '{wanted}': {digests}", advice="name one by its digest")
    return found[0]
