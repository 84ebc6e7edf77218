"""The composition root: the only module that names an adapter, each inside its builder, so that extras stay optional.

Wrappers with the port of what they wrap (caches, limits, simulations) are stacked here too, from cheap to dear.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI

from gateway.api.app import create_app
from gateway.api.services import Services
from gateway.config import Connection, RelationsFile, Settings
from gateway.config import Engine as EngineSettings
from gateway.domain.clock import Clock, utc_now
from gateway.durable import Activity, DurableCore
from gateway.operations.access import Tokens
from gateway.operations.activities import activities
from gateway.operations.admissions import JudgeOnRequest
from gateway.operations.in_force import ActivateBundles, InForce
from gateway.operations.judge import Judge
from gateway.operations.judge_change import JudgeChange
from gateway.operations.receive import ReceiveDelivery
from gateway.operations.report_status import ReportStatus
from gateway.storage import Database, Storage
from gateway.web.pages import router as pages
from gateway.workflows import WORKFLOWS
from policies.bundles import BundleSource
from policies.engines import PolicyEngine
from policies.relations import Relations
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
    settings: Settings, *, forges: Mapping[str, Forge] | None = None, open_pages: bool = False, clock: Clock = utc_now
) -> AsyncIterator[Gateway]:
    """Everything built, bundles in force, the durable core at work; taken down in reverse.

    forges: instead of the connections' own (the demo's). Raises ConfigurationWrong, EngineUnavailable, BundleRefused,
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
        relations = build_relations(settings.relations)
        stack.push_async_callback(relations.close)
        if forges is None:
            forges = {connection.name: build_forge(connection) for connection in settings.connections}
        for forge in forges.values():
            stack.push_async_callback(forge.close)
        await ActivateBundles(storage=storage, engine=engine, clock=clock)(build_bundle_sources(settings.bundles), by="admit.yaml")

        in_force = InForce(storage=storage, engine=engine)
        judge = Judge(in_force=in_force, engine=engine, relations=relations, clock=clock)
        judge_change = JudgeChange(judge=judge, forges=forges, storage=storage, clock=clock)
        report = ReportStatus(forges=forges, storage=storage, clock=clock, public_url=settings.public_url)
        core = build_core(database, activities(judge_change=judge_change, report_status=report))
        tokens = Tokens(storage=storage, clock=clock)
        services = Services(
            receive=ReceiveDelivery(forges=forges, storage=storage, clock=clock, watched=_watched(settings)),
            judge_on_request=JudgeOnRequest(judge=judge, judge_change=judge_change, forges=forges, storage=storage, clock=clock),
            in_force=in_force,
            tokens=tokens,
            storage=storage,
            core=core,
            version=version("admittance"),
            open_pages=open_pages,
        )
        await core.start()
        stack.push_async_callback(core.stop)
        first_token = await configured_tokens(settings, tokens)
        yield Gateway(
            settings=settings,
            app=create_app(services, pages=pages),
            services=services,
            core=core,
            engine=engine,
            forges=forges,
            first_token=first_token,
        )


async def configured_tokens(settings: Settings, tokens: Tokens) -> str | None:
    """Keep the configured tokens; with none configured and none known, make the first and return its text."""
    for number, secret in enumerate(settings.api_tokens):
        await tokens.keep(f"admit.yaml:{number}", secret.get_secret_value())
    return None if settings.api_tokens else await tokens.first()


def build_database(settings: Settings) -> Database:
    """The database; a new SQLite file gets its tables now, any other waits for `admit migrate`."""
    from gateway.storage.migrations import SchemaState, migrate, schema_state

    database = Database(settings.database)
    if database.dialect == "sqlite":
        with database.engine.connect() as connection:
            state = schema_state(connection)
        if state is SchemaState.EMPTY:
            migrate(database)
    return database


def build_storage(database: Database) -> Storage:
    """What is kept, in SQL."""
    from gateway.storage.sql import SqlStorage

    return SqlStorage(database)


def build_core(database: Database, handlers: Mapping[str, Activity]) -> DurableCore:
    """The embedded engine."""
    from gateway.durable.sql import SqlDurableCore

    return SqlDurableCore(database=database, workflows=WORKFLOWS, activities=handlers)


def build_engine(settings: EngineSettings) -> PolicyEngine:
    """OPA as a library, in killable workers. Raises EngineUnavailable where it is not installed, with the command that helps."""
    from policies.engines.opa_library import OpaLibrary

    return OpaLibrary(
        workers=settings.workers, compile_deadline=settings.compile_deadline, evaluation_deadline=settings.evaluation_deadline
    )


def build_relations(settings: RelationsFile | None) -> Relations:
    """A store file's answers, or refusals that say what to configure."""
    if settings is None:
        from policies.relations.absent import NoRelations

        return NoRelations()
    from policies.relations.local import LocalRelations

    return LocalRelations.from_store_file(settings.file)


def build_bundle_sources(folders: Sequence[Path]) -> list[BundleSource]:
    """Bundles that lie in folders."""
    from policies.bundles.directory import DirectoryBundles

    return [DirectoryBundles(folders)] if folders else []


def build_forge(connection: Connection) -> Forge:
    """The adapter of a connection."""
    secrets = tuple(secret.get_secret_value() for secret in connection.webhook_secrets)
    match connection.forge:
        case "gitea":
            from providers.vcs.gitea import GiteaForge

            assert connection.token is not None
            return GiteaForge(
                connection=connection.name, url=connection.url, token=connection.token.get_secret_value(), webhook_secrets=secrets
            )
        case "memory":
            from providers.vcs.memory import MemoryForge

            return MemoryForge(connection=connection.name, webhook_secrets=secrets)


def _watched(settings: Settings) -> Mapping[str, tuple[str, ...]]:
    return {connection.name: connection.repositories for connection in settings.connections}
