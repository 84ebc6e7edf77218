"""The builders: the only module that names an adapter, each inside its function, so that extras stay optional and a
command loads no more than it uses.

Wrappers with the port of what they wrap (caches, limits, simulations) are stacked here too, from cheap to dear.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_never

from gateway.errors import ConfigurationWrong

if TYPE_CHECKING:
    from gateway.config import Connection, Durable, OpenFgaServer, Settings
    from gateway.config import Relations as RelationsSettings
    from gateway.config_engine import Engine as EngineSettings
    from gateway.durable import Activity, DurableCore
    from gateway.storage import Database, RelationStore, SealedRecord, Storage
    from gateway.storage.submissions import Submissions
    from gateway.telemetry import Telemetry
    from policies.bundles import BundleSource
    from policies.engines import PolicyEngine
    from policies.engines.launch import Launched
    from policies.relations import Relations
    from policies.relations.openfga import OpenFgaRelations
    from policies.relations.stored import StoredRelations, WorldReader
    from providers.vcs import Forge, ForgeSetup
    from providers.vcs.github import Credentials


_DAY = 24 * 3600.0


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


def existing_database(settings: Settings) -> Database:
    """As `build_database`, for commands that look at a record: a wrong folder must not read as an empty, whole one."""
    from gateway.errors import ConfigurationWrong

    file = settings.database.removeprefix("sqlite:///")
    if file != settings.database and not Path(file).exists():
        raise ConfigurationWrong(f"there is no database {file}", advice="name the gateway's configuration with --config FILE")
    return build_database(settings)


def build_storage(database: Database) -> Storage:
    """What is kept, in SQL."""
    from gateway.storage.sql import SqlStorage

    return SqlStorage(database)


def build_submissions(database: Database) -> Submissions:
    """Submissions, in SQL, counted."""
    from gateway.operations.counted_submissions import CountedSubmissions
    from gateway.storage.sql.submissions import SqlSubmissions

    return CountedSubmissions(SqlSubmissions(database))


def build_sealed_record(database: Database) -> SealedRecord:
    """The record as a hash chain, in SQL."""
    from gateway.storage.sql.sealed_record import SqlSealedRecord

    return SqlSealedRecord(database)


def build_core(database: Database, handlers: Mapping[str, Activity], settings: Durable) -> DurableCore:
    """The embedded engine, or Temporal. Raises ConfigurationWrong where Temporal is asked for and not installed."""
    from gateway.workflows import WORKFLOWS

    if settings.temporal is None:
        from gateway.durable.sql import SqlDurableCore

        return SqlDurableCore(database=database, workflows=WORKFLOWS, activities=handlers, retention=settings.keep_days * _DAY)
    try:
        from gateway.durable.temporal import Credentials, TemporalDurableCore
    except ImportError as problem:
        if problem.name is None or problem.name.partition(".")[0] != "temporalio":
            raise
        raise ConfigurationWrong(
            "durable.temporal: Temporal's SDK is not installed", advice="run: pip install 'admittance[temporal]'"
        ) from problem
    from gateway.config_parts import current
    from gateway.config_targets import TemporalTls

    cluster = settings.temporal
    tls = cluster.tls if isinstance(cluster.tls, TemporalTls) else TemporalTls()
    return TemporalDurableCore(
        database=database,
        workflows=WORKFLOWS,
        activities=handlers,
        address=cluster.address,
        namespace=cluster.namespace,
        task_queue=cluster.task_queue,
        retention=settings.keep_days * _DAY,
        credentials=Credentials(
            tls=cluster.api_key is not None if cluster.tls is None else cluster.tls is not False,
            ca=tls.ca,
            certificate=tls.certificate,
            key=None if tls.key is None else partial(current, tls.key),
            server_name=tls.server_name,
            api_key=None if cluster.api_key is None else partial(current, cluster.api_key),
        ),
    )


def build_telemetry(settings: Settings) -> Telemetry | None:
    """Traces, where they are configured. Raises ConfigurationWrong where OpenTelemetry is not installed."""
    if settings.telemetry is None:
        return None
    try:
        from gateway.telemetry import Telemetry
    except ImportError as problem:
        if problem.name is None or problem.name.partition(".")[0] != "opentelemetry":
            raise
        raise ConfigurationWrong(
            "telemetry: OpenTelemetry is not installed", advice="run: pip install 'admittance[telemetry]'"
        ) from problem
    from importlib.metadata import version

    return Telemetry(settings.telemetry, version("admittance"))


def launched_worker() -> Launched:
    """OPA's library, from now on loading in a process of its own, for an engine with its own defaults. Raises EngineUnavailable."""
    from policies.engines.launch import launch

    return launch()


def build_engine(settings: EngineSettings | None, *, first: Launched | None = None) -> PolicyEngine:
    """OPA as a library in killable workers (with its own defaults where nothing is said), or its own server.

    first: a worker that was launched for it, where nothing is said. Raises EngineUnavailable where it is not installed.
    """
    if settings is None:
        from policies.engines.opa_library import OpaLibrary

        return OpaLibrary(first=first)
    limits: dict[str, Any] = {
        "compile_deadline": settings.compile_deadline,
        "evaluation_deadline": settings.evaluation_deadline,
        "memory_limit": settings.memory_limit,
        "queue_limit": settings.queue_limit,
        "patience": settings.patience,
        "quarantine_after": settings.quarantine_after,
    }
    match settings.adapter:
        case "library":
            from policies.engines.opa_library import OpaLibrary

            return OpaLibrary(workers=settings.workers, **limits)
        case "server":
            from policies.engines.opa_server import OpaServer

            return OpaServer(binary=opa_binary(settings) or Path("opa"), at_once=settings.workers, **limits)
    assert_never(settings.adapter)


def opa_binary(settings: EngineSettings | None) -> Path | None:
    """The `opa` named, or found on the PATH: asked for a second opinion on bundles, and the `server` adapter's engine."""
    if settings is not None and settings.opa is not None:
        return settings.opa
    import shutil

    found = shutil.which("opa")
    return Path(found) if found else None


def build_relation_store(database: Database) -> RelationStore:
    """Tuples and models, in SQL."""
    from gateway.storage.sql.relation_store import SqlRelationStore

    return SqlRelationStore(database)


def build_stored_relations(world: WorldReader) -> StoredRelations:
    """Answers in process, from what the gateway keeps."""
    from policies.relations.stored import StoredRelations

    return StoredRelations(world)


def build_relations(settings: RelationsSettings | None, database: Database | None = None) -> Relations:
    """An OpenFGA server's answers, a store file's, the database's, or refusals that say what to configure."""
    if settings is None:
        from policies.relations.absent import NoRelations

        return NoRelations()
    from gateway.config import RelationsFile, RelationsServer

    match settings:
        case "local" if database is not None:
            from gateway.storage.followed_tuples import FollowedTuples

            return build_stored_relations(FollowedTuples(build_relation_store(database)))
        case "local":
            from policies.relations.absent import NoRelations

            return NoRelations()
        case RelationsFile(file=file):
            return relations_of_file(file)
        case RelationsServer(openfga=server):
            return build_openfga(server)
    assert_never(settings)


def relations_of_file(file: Path) -> Relations:
    """Answers from an OpenFGA store file. Raises RelationsRefused."""
    from policies.relations.local import LocalRelations

    return LocalRelations.from_store_file(file)


def build_openfga(settings: OpenFgaServer) -> OpenFgaRelations:
    """The adapter of an OpenFGA server. Raises ConfigurationWrong where the SDK is not installed."""
    try:
        from policies.relations.openfga import ClientCredentials, OpenFgaRelations, Token
    except ImportError as problem:
        if problem.name is None or problem.name.partition(".")[0] not in {"openfga_sdk", "aiohttp"}:
            raise
        raise ConfigurationWrong(
            "relations.openfga: OpenFGA's SDK is not installed", advice="run: pip install 'admittance[openfga]'"
        ) from problem
    credentials: Token | ClientCredentials | None = None
    if settings.token is not None:
        credentials = Token(token=settings.token.get_secret_value())
    elif (client := settings.client_credentials) is not None:
        secret = client.client_secret.get_secret_value()
        credentials = ClientCredentials(
            client_id=client.client_id, client_secret=secret, issuer=client.issuer, audience=client.audience, scopes=client.scopes
        )
    return OpenFgaRelations(
        api_url=settings.api_url,
        store_id=settings.store_id,
        model_id=settings.model_id,
        credentials=credentials,
        deadline=settings.deadline,
    )


async def probe_relations(settings: RelationsSettings) -> str:
    """Who answers, having looked whether it can. Raises RelationsError, ConfigurationWrong."""
    from gateway.config import RelationsFile, RelationsServer

    match settings:
        case "local":
            return "answered in process, from the gateway's database"
        case RelationsFile(file=file):
            await build_relations(settings).close()
            return f"answered from {file}"
        case RelationsServer(openfga=server):
            relations = build_openfga(server)
            try:
                return await relations.probe()
            finally:
                await relations.close()
    assert_never(settings)


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
            with _told(connection):
                return GiteaForge(
                    connection=connection.name, url=connection.url, token=connection.token.get_secret_value(), webhook_secrets=secrets
                )
        case "github":
            with _github(connection):
                from providers.vcs.github import GithubForge

                return GithubForge(
                    connection=connection.name, url=connection.url, credentials=_github_credentials(connection), webhook_secrets=secrets
                )
        case "gitlab":
            _need_gitlab(connection)
            from providers.vcs.gitlab import GitLabForge

            assert connection.token is not None
            with _told(connection):
                return GitLabForge(
                    connection=connection.name, url=connection.url, token=connection.token.get_secret_value(), webhook_secrets=secrets
                )
        case "memory":
            from providers.vcs.memory import MemoryForge

            return MemoryForge(connection=connection.name, webhook_secrets=secrets)


def _need_gitlab(connection: Connection) -> None:
    if importlib.util.find_spec("gitlab") is None:
        raise ConfigurationWrong(
            f"connection '{connection.name}': python-gitlab is not installed", advice="run: pip install 'admittance[gitlab]'"
        )


def build_forge_setup(connection: Connection, account: str, gateway_url: str) -> ForgeSetup:
    """The administrator's side of a connection; account: the gateway's own login there. Raises ConfigurationWrong for a forge in memory."""
    from gateway.errors import ConfigurationWrong

    match connection.forge:
        case "gitea":
            from providers.vcs.gitea import GiteaSetup

            token = connection.setup_token or connection.token
            assert token is not None
            with _told(connection):
                return GiteaSetup(connection=connection.name, url=connection.url, token=token.get_secret_value(), account=account)
        case "github":
            with _github(connection):
                from providers.vcs.github import AccessToken, GithubSetup

                own, admin = _github_credentials(connection), connection.setup_token
                return GithubSetup(
                    connection=connection.name,
                    url=connection.url,
                    credentials=AccessToken(token=admin.get_secret_value()) if admin is not None else own,
                    app=own if connection.app_id is not None else None,
                    account=account,
                )
        case "gitlab":
            _need_gitlab(connection)
            from providers.vcs.gitlab import GitLabSetup

            token = connection.setup_token or connection.token
            assert token is not None
            with _told(connection):
                return GitLabSetup(
                    connection=connection.name,
                    url=connection.url,
                    token=token.get_secret_value(),
                    account=account,
                    gateway_url=gateway_url,
                )
        case "memory":
            raise ConfigurationWrong(f"connection '{connection.name}' is a forge in memory: there is nothing to set up")


def _github_credentials(connection: Connection) -> Credentials:
    """A token, or an App. A key that came through one line of an environment has its line breaks written out."""
    from providers.vcs.github import AccessToken, App

    if connection.token is not None:
        return AccessToken(token=connection.token.get_secret_value())
    assert connection.app_id is not None
    assert connection.private_key is not None
    key = connection.private_key.get_secret_value().replace("\\n", "\n")
    return App(app_id=str(connection.app_id), private_key=key, installation_id=connection.installation_id)


@contextmanager
def _github(connection: Connection) -> Iterator[None]:
    """As `_told`; and GitHub's SDK may be missing."""
    try:
        with _told(connection):
            yield
    except ImportError as problem:
        if problem.name is None or problem.name.partition(".")[0] not in {"github", "requests", "urllib3", "jwt"}:
            raise
        raise ConfigurationWrong(
            f"connection '{connection.name}': GitHub's SDK is not installed", advice="run: pip install 'admittance[github]'"
        ) from problem


@contextmanager
def _told(connection: Connection) -> Iterator[None]:
    """What is wrong with a connection before anything is asked, in the configuration's words: its name, never its secret."""
    try:
        yield
    except ValueError as problem:
        raise ConfigurationWrong(f"connection '{connection.name}': {problem}") from None
