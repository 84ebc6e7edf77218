"""A gateway put together and running: what `wiring` builds, joined to the operations, the API and the pages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version

from fastapi import FastAPI

from gateway.api.app import create_app
from gateway.api.rates import Limits
from gateway.api.services import Services
from gateway.config import Settings
from gateway.config_record import Retention
from gateway.domain.clock import Clock, utc_now
from gateway.durable import DurableCore
from gateway.operations.access import Tokens
from gateway.operations.activate_bundles import ActivateBundles
from gateway.operations.activities import activities
from gateway.operations.admissions import JudgeOnRequest
from gateway.operations.bring_into_force import BringIntoForce
from gateway.operations.bundle_rights import BundleRights
from gateway.operations.code_owners import ReadCodeOwners
from gateway.operations.erase import ErasePerson, RetireRecord, retention_dispatch
from gateway.operations.evidence import ReadEvidence
from gateway.operations.facts_wanted import FactsWanted
from gateway.operations.footprints import Footprints
from gateway.operations.gather import Gather
from gateway.operations.in_force import InForce
from gateway.operations.judge import Judge
from gateway.operations.judge_change import JudgeChange
from gateway.operations.judge_group import JudgeGroup
from gateway.operations.override import OverrideChange
from gateway.operations.own_policies_moved import OwnPoliciesMoved
from gateway.operations.publish_bundle import PublishBundle
from gateway.operations.receive import ReceiveDelivery
from gateway.operations.reconcile import Reconcile, reconcile_dispatch
from gateway.operations.report_status import ReportStatus
from gateway.operations.rights import Rights
from gateway.operations.seal_record import SealRecord, seal_dispatch
from gateway.operations.steer_bundle import SteerBundle
from gateway.operations.steer_workflow import SteerWorkflow
from gateway.operations.stored_facts import StoredFacts
from gateway.operations.unnoticed import Unnoticed
from gateway.running_relations import build_relating
from gateway.running_submissions import build_submitting
from gateway.web.missing import missing
from gateway.web.pages import router as pages
from gateway.wiring import (
    build_bundle_sources,
    build_core,
    build_database,
    build_engine,
    build_forge,
    build_sealed_record,
    build_storage,
    build_submissions,
    build_telemetry,
    opa_binary,
)
from gateway.wiring_targets import build_target
from policies.engines import PolicyEngine
from policies.repository import OwnPolicies
from providers.targets import Target
from providers.vcs import Forge


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A gateway put together and running. first_token: made now because there was none; show it once."""

    settings: Settings
    app: FastAPI
    services: Services
    core: DurableCore
    engine: PolicyEngine
    forges: Mapping[str, Forge]
    first_token: str | None


@asynccontextmanager
async def running_gateway(
    settings: Settings,
    *,
    forges: Mapping[str, Forge] | None = None,
    targets: Mapping[str, Target] | None = None,
    open_pages: bool = False,
    clock: Clock = utc_now,
) -> AsyncIterator[Gateway]:
    """Everything built, bundles in force, the durable core at work; taken down in reverse.

    forges, targets: instead of the configured ones (the demo's). Raises ConfigurationWrong, EngineUnavailable, BundleRefused,
    DatabaseOutdated, DatabaseUnavailable.
    """
    async with AsyncExitStack() as stack:
        database = build_database(settings)
        stack.push_async_callback(database.close)
        storage = build_storage(database)
        await storage.ready()
        engine = build_engine(settings.engine)
        stack.push_async_callback(engine.close)
        await engine.parse({"probe.rego": "package probe\n"})  # a gateway without an engine must not come up
        if forges is None:
            forges = {connection.name: build_forge(connection) for connection in settings.connections}
        for forge in forges.values():
            stack.push_async_callback(forge.close)
        if targets is None:
            targets = {target.name: build_target(target) for target in settings.targets}
        for target in targets.values():
            stack.push_async_callback(target.close)
        watched = _watched(settings)
        relating = build_relating(settings, database=database, storage=storage, forges=forges, watched=watched, clock=clock)
        relations, own = relating.relations, relating.own
        stack.push_async_callback(relations.close)
        telemetry = build_telemetry(settings)
        if telemetry is not None:
            stack.push_async_callback(asyncio.to_thread, telemetry.close)
            engine = telemetry.around(engine, "engine")
            forges = {name: telemetry.around(forge, "forge", connection=name) for name, forge in forges.items()}
            targets = {name: telemetry.around(target, "target", target=name) for name, target in targets.items()}
        in_force = InForce(storage=storage, engine=engine)
        bring = BringIntoForce(storage=storage, in_force=in_force, clock=clock)
        opa = opa_binary(settings.engine)
        await ActivateBundles(bring=bring, engine=engine, opa=opa)(build_bundle_sources(settings.bundles))

        own_policies = OwnPolicies(engine=engine, deadline=settings.engine.own_compile_deadline)
        footprints = Footprints(own_policies=own_policies)
        judge = Judge(in_force=in_force, engine=engine, relations=relations, clock=clock, own_policies=own_policies, footprints=footprints)
        moved = relating.ask_again.moved if own is not None else None
        same_person = settings.approvals.same_person
        code_owners = ReadCodeOwners(in_force=in_force.recent, footprints=footprints, names=own.store if own is not None else None)
        judge_change = JudgeChange(
            judge=judge,
            forges=forges,
            storage=storage,
            clock=clock,
            answers_moved=moved,
            same_person=same_person,
            unnoticed=Unnoticed(storage=storage, in_force=in_force, footprints=footprints),
            stored_facts=StoredFacts(storage=storage, evidence=ReadEvidence(storage=storage, in_force=in_force)),
            gather=Gather(code_owners=code_owners, facts_wanted=FactsWanted(in_force=in_force.recent, footprints=footprints)),
        )
        report = ReportStatus(forges=forges, storage=storage, clock=clock, public_url=settings.public_url)
        sealed_record = build_sealed_record(database)
        reconcile = Reconcile(forges=forges, watched=watched, storage=storage, clock=clock)
        rights = Rights(relations=relations, clock=clock)
        bundle_rights = BundleRights(rights=rights, in_force=in_force, forges=forges)
        override_change = OverrideChange(storage=storage, forges=forges, rights=rights, clock=clock)
        submissions = build_submissions(database)
        submitting = build_submitting(
            settings, judge=judge, storage=storage, submissions=submissions, forges=forges, targets=targets, clock=clock
        )
        handlers = activities(
            judge_change=judge_change,
            judge_group=JudgeGroup(judge_change=judge_change, forges=forges, storage=storage, clock=clock, public_url=settings.public_url),
            report_status=report,
            own_policies_moved=OwnPoliciesMoved(forges=forges, storage=storage, code_owners=code_owners),
            reconcile=reconcile,
            seal_record=SealRecord(sealed_record=sealed_record, clock=clock, key=settings.checkpoint_key),
            override_change=override_change,
            erase_person=ErasePerson(storage=storage, clock=clock),
            retire_record=RetireRecord(
                storage=storage, clock=clock, facts=settings.retention.facts, deliveries=settings.retention.deliveries
            ),
        )
        handlers = {**handlers, **relating.activities(), **submitting.activities()}
        core = build_core(database, telemetry.activities(handlers) if telemetry else handlers, settings.durable)
        tokens = Tokens(storage=storage, clock=clock)
        services = Services(
            receive=ReceiveDelivery(
                forges=forges,
                storage=storage,
                clock=clock,
                watched=watched,
                commands=bool(settings.workflows),
                sync_every=relating.sync_every,
            ),
            judge_on_request=JudgeOnRequest(
                judge=judge,
                guarded=replace(judge, in_force=in_force.recent),
                judge_change=judge_change,
                forges=forges,
                storage=storage,
                clock=clock,
            ),
            in_force=in_force,
            publish_bundle=PublishBundle(bring=bring, engine=engine, rights=bundle_rights, opa=opa),
            steer_bundle=SteerBundle(bring=bring, rights=bundle_rights, opa=opa),
            submitting=submitting,
            tokens=tokens,
            override_change=override_change,
            steer_workflow=SteerWorkflow(rights=rights, storage=storage, submissions=submissions, core=core, clock=clock),
            rights=rights,
            storage=storage,
            sealed_record=sealed_record,
            relations=relations,
            own_relations=own,
            core=core,
            version=version("admittance"),
            public_url=settings.public_url,
            open_pages=open_pages,
            hosts=settings.own_hosts,
            limits=Limits(**settings.limits.model_dump()),
        )
        if telemetry is not None:
            services = replace(
                services,
                receive=telemetry.around(services.receive, "receive"),
                judge_on_request=telemetry.around(services.judge_on_request, "judge_on_request"),
                publish_bundle=telemetry.around(services.publish_bundle, "publish_bundle"),
                override_change=telemetry.around(services.override_change, "override_change"),
            )
        await core.start()
        stack.push_async_callback(core.stop)
        start = str(clock().timestamp())
        await storage.record_dispatches([reconcile_dispatch(name, every=settings.reconcile_seconds, start=start) for name in forges])
        await storage.record_dispatches([seal_dispatch(clock())])
        if settings.retention != Retention():
            await storage.record_dispatches([retention_dispatch(start)])
        await storage.record_dispatches(relating.beginning(list(forges), start))
        core.wake()
        first_token = await configured_tokens(settings, tokens)
        app = create_app(services, pages=pages, missing=missing)
        if telemetry is not None:
            from gateway.telemetry import TracedRequests

            app.add_middleware(TracedRequests, telemetry=telemetry)
        yield Gateway(
            settings=settings,
            app=app,
            services=services,
            core=core,
            engine=engine,
            forges=forges,
            first_token=first_token,
        )


async def configured_tokens(settings: Settings, tokens: Tokens) -> str | None:
    """Keep the configured tokens; with none configured and none known, make the first and return its text."""
    await tokens.configure([secret.get_secret_value() for secret in settings.api_tokens])
    return None if settings.api_tokens else await tokens.first()


def _watched(settings: Settings) -> Mapping[str, tuple[str, ...]]:
    return {connection.name: connection.repositories for connection in settings.connections}
