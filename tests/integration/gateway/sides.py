"""Two ways to judge the same changes: always, or only where somebody could notice. Each with a storage of its own."""

from __future__ import annotations

from contextlib import asynccontextmanager

from gateway.domain.clock import utc_now
from gateway.operations.activate_bundles import ActivateBundles
from gateway.operations.bring_into_force import BringIntoForce
from gateway.operations.code_owners import ReadCodeOwners
from gateway.operations.evidence import ReadEvidence
from gateway.operations.facts_wanted import FactsWanted
from gateway.operations.footprints import Footprints
from gateway.operations.gather import Gather
from gateway.operations.in_force import InForce
from gateway.operations.judge import Judge
from gateway.operations.judge_change import JudgeChange
from gateway.operations.stored_facts import StoredFacts
from gateway.operations.unnoticed import Unnoticed
from gateway.storage.memory import MemoryStorage
from policies.bundles.directory import DirectoryBundles
from policies.engines.opa_library import OpaLibrary
from policies.relations.absent import NoRelations
from policies.repository import OwnPolicies
from providers.vcs.memory import MemoryForge
from tests.integration.gateway.house import REPOSITORY, SECRET


class Side:
    """Judges a forge's changes for itself: with a storage of its own, always or only where somebody could notice."""

    def __init__(self, forge, engine, *, skipping):
        self.forge, self.storage, self.engine = forge, MemoryStorage(), engine
        self.in_force = InForce(storage=self.storage, engine=engine)
        judge = Judge(in_force=self.in_force, engine=engine, relations=NoRelations(), clock=utc_now)
        footprints = Footprints(own_policies=OwnPolicies(engine=engine))
        unnoticed = Unnoticed(storage=self.storage, in_force=self.in_force, footprints=footprints) if skipping else None
        stored = StoredFacts(storage=self.storage, evidence=ReadEvidence(storage=self.storage, in_force=self.in_force))
        owners = ReadCodeOwners(in_force=self.in_force, footprints=footprints)
        facts_wanted = FactsWanted(in_force=self.in_force, footprints=footprints)
        self.judge = JudgeChange(
            judge=judge,
            gather=Gather(code_owners=owners, facts_wanted=facts_wanted if skipping else None),
            forges={"work": forge},
            storage=self.storage,
            clock=utc_now,
            unnoticed=unnoticed,
            stored_facts=stored if skipping else None,
        )

    async def use(self, folders):
        bring = BringIntoForce(storage=self.storage, in_force=self.in_force, clock=utc_now)
        await ActivateBundles(bring=bring, engine=self.engine)([DirectoryBundles(folders)])


def parts(decision):
    """What people see of a verdict."""
    verdict = decision.verdict
    return decision.outcome, *([item.message for item in items] for items in (verdict.violations, verdict.warnings, verdict.holds))


class CountedForge(MemoryForge):
    """A forge that counts how often a change is read."""

    read = 0

    async def read_change(self, key, **how):
        self.read += 1
        return await super().read_change(key, **how)


@asynccontextmanager
async def two_sides(folders):
    """One that skips and one that judges always, by the same bundles and the same forge."""
    forge = CountedForge(connection="work", webhook_secrets=(SECRET,))
    forge.create_repository(REPOSITORY)
    engine = OpaLibrary(compile_deadline=60.0, evaluation_deadline=60.0)
    try:
        sides = Side(forge, engine, skipping=True), Side(forge, engine, skipping=False)
        for side in sides:
            await side.use(folders)
        yield forge, *sides
    finally:
        await engine.close()
        await forge.close()
