"""The builders: the only module that names an adapter, each inside its function, so that extras stay optional and a
command loads no more than it uses.

Wrappers with the port of what they wrap (caches, limits, simulations) are stacked here too, from cheap to dear.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.config import Connection, RelationsFile, Settings
    from gateway.config import Engine as EngineSettings
    from gateway.durable import Activity, DurableCore
    from gateway.storage import Database, SealedRecord, Storage
    from policies.bundles import BundleSource
    from policies.engines import PolicyEngine
    from policies.relations import Relations
    from providers.vcs import Forge


def build_database(settings: Settings) -> Database:
    """The database; a new SQLite file gets its tables now, any other waits for `admit migrate`."""
    from gateway.storage import Database
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


def build_sealed_record(database: Database) -> SealedRecord:
    """The record as a hash chain, in SQL."""
    from gateway.storage.sql.sealed_record import SqlSealedRecord

    return SqlSealedRecord(database)


def build_core(database: Database, handlers: Mapping[str, Activity]) -> DurableCore:
    """The embedded engine."""
    from gateway.durable.sql import SqlDurableCore
    from gateway.workflows import WORKFLOWS

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
