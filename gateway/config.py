"""Settings: `admit.yaml` and the environment, read once and checked whole.

Scalars at the top level may also come from the environment (`ADMIT_DATABASE`, `ADMIT_PUBLIC_URL`, `ADMIT_LISTEN`),
which wins over the file. Secrets are never written in the file: they are `env:NAME` or `file:PATH`. Paths in the file are
relative to the file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    SecretStr,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from gateway.config_engine import Engine
from gateway.config_hints import unknown_key
from gateway.config_limits import LimitSettings
from gateway.config_parts import Part, Secret, in_folder
from gateway.config_record import CheckpointKey, Retention
from gateway.config_targets import TargetSettings, TemporalTls, beside
from gateway.config_telemetry import TelemetrySettings
from gateway.config_workflows import ApprovalSettings, WorkflowSettings
from gateway.domain.people import TOKEN_NAMESPACE
from gateway.errors import ConfigurationWrong

ULID = r"^[0-9A-HJKMNP-TV-Z]{26}$"
SHORTEST_SECRET = 16
"""Characters of a webhook secret: whoever guesses it can say what he likes in the forge's name."""
_SCALARS = ("database", "public_url", "listen")


class Connection(Part):
    """One forge, served at `/webhooks/<name>`.

    repositories: globs of `owner/name`; what fits none is not judged. setup_token: an administrator's, for
    `admit connect` alone; the running gateway does not use it. webhook_secrets: several while rotating.
    url: of a github connection https://github.com where nothing is said. app_id, private_key: of a GitHub App, instead of a
    token; installation_id only where the App is installed on several accounts.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")
    forge: Literal["gitea", "github", "gitlab", "memory"]
    url: str = ""
    token: Secret | None = None
    app_id: int | None = Field(default=None, ge=1)
    private_key: Secret | None = None
    installation_id: int | None = Field(default=None, ge=1)
    setup_token: Secret | None = None
    webhook_secrets: tuple[Secret, ...] = ()
    repositories: tuple[str, ...] = ("**",)

    @model_validator(mode="before")
    @classmethod
    def _at_home(cls, value: object) -> object:
        if isinstance(value, dict) and value.get("forge") == "github" and not value.get("url"):
            return {**value, "url": "https://github.com"}
        return value

    @field_validator("name")
    @classmethod
    def _not_of_tokens(cls, value: str) -> str:
        if value == TOKEN_NAMESPACE:  # else account 7 of that forge and a token named 7 would be one
            raise ValueError(f"'{value}' is what holders of API tokens go by; choose another name")
        return value

    @field_validator("webhook_secrets")
    @classmethod
    def _not_guessable(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if short := [len(secret.get_secret_value()) for secret in value if len(secret.get_secret_value()) < SHORTEST_SECRET]:
            advice = "make one with: openssl rand -hex 32"
            raise ValueError(f"a secret of {short[0]} characters could be guessed; use at least {SHORTEST_SECRET}: {advice}")
        return value

    @model_validator(mode="after")
    def _complete(self) -> Connection:
        as_app = (self.app_id, self.private_key, self.installation_id)
        if self.forge != "github" and any(as_app):
            raise ValueError(f"connection '{self.name}': app_id, private_key and installation_id belong to a github connection")
        if self.forge == "github":
            if (self.app_id is None) != (self.private_key is None) or (self.app_id is None and self.installation_id is not None):
                raise ValueError(f"connection '{self.name}': a GitHub App needs both app_id and private_key")
            if (self.app_id is None) == (self.token is None):
                raise ValueError(f"connection '{self.name}': a github connection needs either token or app_id and private_key")
        elif self.forge != "memory" and (not self.url or self.token is None):
            raise ValueError(f"connection '{self.name}': a {self.forge} connection needs url and token")
        return self


class RelationsFile(Part):
    """Relationship checks answered from a store file (OpenFGA's format: model and tuples)."""

    file: Path


class OAuthClient(Part):
    """OAuth 2.0 client credentials. issuer: the URL that gives tokens (`/oauth/token` is added where it has no path)."""

    client_id: str = Field(min_length=1)
    client_secret: Secret
    issuer: str = Field(pattern=r"^https?://\S+$")
    audience: str | None = None
    scopes: tuple[str, ...] = ()


class OpenFgaServer(Part):
    """An OpenFGA server's store.

    model_id: the model to ask; the store's newest where nothing is said. deadline: seconds for all questions of a
    judgement together. follow_seconds: between two looks at what changed there. token or client_credentials: how the
    gateway is known there; neither where it need not be.
    """

    api_url: str = Field(pattern=r"^https?://[^\s/@?#]+(/[^\s?#]*)?$")
    store_id: str = Field(pattern=ULID)
    model_id: str | None = Field(default=None, pattern=ULID)
    token: Secret | None = None
    client_credentials: OAuthClient | None = None
    deadline: float = Field(default=2.0, gt=0, le=60)
    follow_seconds: float = Field(default=5.0, ge=0.1)

    @field_validator("api_url")
    @classmethod
    def _without_slash(cls, value: str) -> str:
        return value.rstrip("/")

    @model_validator(mode="after")
    def _known_one_way(self) -> OpenFgaServer:
        if self.token is not None and self.client_credentials is not None:
            raise ValueError("give token or client_credentials, not both")
        return self


class RelationsServer(Part):
    """Relationship checks answered by an OpenFGA server."""

    openfga: OpenFgaServer


def _one_source(value: object) -> object:
    if isinstance(value, str) and value != "local":
        raise ValueError(f"expected local, file (an OpenFGA store file) or openfga (a server), found '{value}'")
    if isinstance(value, Mapping) and len({"file", "openfga"} & value.keys()) != 1:
        raise ValueError("expected either file (an OpenFGA store file) or openfga (a server)")
    return value


def _source(value: object) -> str:
    if value == "local":
        return "local"
    return "server" if isinstance(value, RelationsServer) or (isinstance(value, Mapping) and "openfga" in value) else "file"


Relations = Annotated[
    Annotated[Literal["local"], Tag("local")] | Annotated[RelationsFile, Tag("file")] | Annotated[RelationsServer, Tag("server")],
    Discriminator(_source),
    BeforeValidator(_one_source),
]


class TemporalCluster(Part):
    """Where workflows run when one machine is not enough. task_queue: names this house among others in the namespace.

    tls: as it is where nothing is said: with an API key yes, without one no.
    """

    address: str = Field(pattern=r"^\S+:\d+$")
    namespace: str = Field(default="default", min_length=1)
    task_queue: str = Field(default="admittance", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,60}$")
    api_key: Secret | None = None
    tls: bool | TemporalTls | None = None


class Durable(Part):
    """The durable core: embedded in the database where nothing is said. keep_days: how long ended runs are kept."""

    keep_days: float = Field(default=30.0, gt=0)
    temporal: TemporalCluster | None = None


class Settings(Part):
    """Everything `admit.yaml` can say.

    relations: who answers relationship questions: `local` (the gateway itself, from its database), a store file, or a server.
    reconcile_seconds: between two looks for what webhooks did not tell, at repositories with open changes.
    checkpoint_key: the Ed25519 key that signs the record's checkpoints; one kept in the database where nothing is said.
    hosts: more names the pages go by in browsers, beside public_url's. limits: how often anybody may ask.
    telemetry: where traces go; none are kept where nothing is said.
    sync_seconds: between two full passes over who belongs to what, where `relations` is `local`.
    api_tokens: bearer tokens for `/v1` and the pages; without one, one is made at first start and only loopback is served.
    """

    database: str = "sqlite:///admit.db"
    public_url: str = "http://127.0.0.1:8080"
    listen: str | None = None
    bundles: tuple[Path, ...] = ()
    connections: tuple[Connection, ...] = ()
    relations: Relations = "local"
    engine: Engine = Engine()
    durable: Durable = Durable()
    targets: tuple[TargetSettings, ...] = ()
    workflows: tuple[WorkflowSettings, ...] = ()
    approvals: ApprovalSettings = ApprovalSettings()
    api_tokens: tuple[Secret, ...] = ()
    checkpoint_key: CheckpointKey | None = None
    retention: Retention = Retention()
    hosts: tuple[str, ...] = ()
    limits: LimitSettings = LimitSettings()
    telemetry: TelemetrySettings | None = None
    reconcile_seconds: float = Field(default=30.0, ge=0.1)
    sync_seconds: float = Field(default=900.0, ge=0.1)

    @field_validator("public_url")
    @classmethod
    def _http(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("expected http://host[:port] or https://host[:port]")
        return value.rstrip("/")

    @field_validator("connections", "targets", "workflows")
    @classmethod
    def _named_once(cls, value: tuple[Any, ...], info: ValidationInfo) -> tuple[Any, ...]:
        names = [part.name for part in value]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two {info.field_name} are named '{min(twice)}'")
        return value

    @model_validator(mode="after")
    def _known_there(self) -> Settings:
        """A workflow may run on targets that have it by name, as far as they name any."""
        for target in self.targets:
            for workflow in self.workflows:
                if target.name in workflow.targets and target.workflows and workflow.name not in target.workflows:
                    known = ", ".join(sorted(target.workflows))
                    raise ValueError(f"workflow '{workflow.name}' may run on '{target.name}', whose workflows do not name it: {known}")
        return self

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to listen on: `listen`, else where `public_url` says."""
        if self.listen:
            host, _, port = self.listen.rpartition(":")
            if not port.isdigit():
                raise ConfigurationWrong(f"listen: expected host:port, found '{self.listen}'")
            return host.strip("[]") or "127.0.0.1", int(port)
        parts = urlsplit(self.public_url)
        return parts.hostname or "127.0.0.1", parts.port or (443 if parts.scheme == "https" else 80)

    @property
    def own_hosts(self) -> frozenset[str]:
        """The names the gateway goes by in browsers."""
        return frozenset({urlsplit(self.public_url).hostname or "", self.address[0], *self.hosts})

    def require_safe_address(self) -> None:
        """Raises ConfigurationWrong for an address others can reach while nobody has set a token."""
        host, _ = self.address
        if not self.api_tokens and host not in {"127.0.0.1", "::1", "localhost"}:
            raise ConfigurationWrong(
                f"listening on {host} needs a token that you chose: only loopback is served without one",
                advice="set api_tokens: [env:ADMIT_TOKEN] in admit.yaml (at least 32 characters)",
            )


DEFAULT_FILE = Path("admit.yaml")


def load_settings(file: Path | None = None) -> Settings:
    """`file`, or `admit.yaml` in the current folder, or all defaults where there is none.

    Raises ConfigurationWrong naming every key that is wrong.
    """
    if file is None and not DEFAULT_FILE.exists():
        return _settings({}, Path())
    path = file or DEFAULT_FILE
    try:
        content = yaml.safe_load(path.read_text()) or {}
    except OSError as problem:
        raise ConfigurationWrong(f"{path} cannot be read: {problem.strerror}", advice="name the file with --config") from problem
    except (yaml.YAMLError, UnicodeDecodeError) as problem:
        raise ConfigurationWrong(f"{path} is not YAML: {problem}") from problem
    if not isinstance(content, dict):
        raise ConfigurationWrong(f"{path}: expected keys and values, found a {type(content).__name__}")
    return _settings(content, path.parent)


def _settings(content: Mapping[str, Any], folder: Path) -> Settings:
    environment = {name: os.environ[f"ADMIT_{name.upper()}"] for name in _SCALARS if os.environ.get(f"ADMIT_{name.upper()}")}
    try:
        settings = Settings.model_validate({**content, **environment}, context=in_folder(folder))
    except ValidationError as problem:
        lines = [f"{_key(error['loc'])}: {_said(error)}" for error in problem.errors()]
        raise ConfigurationWrong("the configuration cannot be used:\n" + "\n".join(f"  {line}" for line in lines)) from None
    return settings.model_copy(
        update={
            "bundles": tuple(folder / path for path in settings.bundles),
            "engine": settings.engine.model_copy(update={"opa": folder / settings.engine.opa}) if settings.engine.opa else settings.engine,
            "targets": tuple(beside(target, folder) for target in settings.targets),
            "relations": _found_from(settings.relations, folder),
            "workflows": tuple(_schema_found_from(workflow, folder) for workflow in settings.workflows),
            "database": _beside(settings.database, folder),
        }
    )


def _found_from(relations: Relations, folder: Path) -> Relations:
    match relations:
        case RelationsFile(file=file):
            return RelationsFile(file=folder / file)
        case _:
            return relations


def _schema_found_from(workflow: WorkflowSettings, folder: Path) -> WorkflowSettings:
    return workflow.model_copy(update={"input": folder / workflow.input}) if isinstance(workflow.input, Path) else workflow


def _key(place: tuple[int | str, ...]) -> str:
    """The key as it is written: which of two forms `relations` has is no part of it."""
    written = place[:1] + place[2:] if place[:2] in {("relations", "file"), ("relations", "server")} else place
    return ".".join(str(part) for part in written) or "settings"


def _beside(url: str, folder: Path) -> str:
    """A SQLite file is relative to the configuration, like every path in it."""
    prefix = "sqlite:///"
    path = url.removeprefix(prefix)
    if not url.startswith(prefix) or path.startswith("/") or path == ":memory:":
        return url
    return prefix + str(folder / path)


def _said(error: ErrorDetails) -> str:
    if error["type"] == "extra_forbidden":
        return unknown_key(Settings, error["loc"])
    return _words(error["msg"])


def _words(message: str) -> str:
    return message.removeprefix("Value error, ")
