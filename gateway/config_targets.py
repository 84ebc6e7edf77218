"""`targets:` of `admit.yaml`: where workflows run, one block for each orchestrator, by the name it has there.

What every target has: `name`, `orchestrator`, `workflows` (a list of names, or the gateway's names with the target's own;
where none is given, names are passed on as they are), `timeout` (seconds for one request) and `web_url` (where its pages
are, for links, when that is not where its API is).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from gateway.config_parts import Part, Secret

Url: TypeAlias = Annotated[str, Field(pattern=r"^https?://[^\s/@?#]+(/[^\s?#]*)?$")]


def _named(value: object) -> object:
    """A list of names is each name for itself."""
    return {name: name for name in value} if isinstance(value, list | tuple) else value


Names: TypeAlias = Annotated[Mapping[str, str], BeforeValidator(_named)]


class _Target(Part):
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")
    timeout: float = Field(default=10.0, gt=0, le=120)


class _WebTarget(_Target):
    """url: of its API."""

    url: Url
    web_url: Url | None = None
    ca: Path | None = None
    """PEM: authorities to trust instead of the system's."""


class TemporalTls(Part):
    """ca: PEM, authorities to trust instead of the system's. certificate, key: PEM, who the gateway is (mutual TLS)."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Secret | None = None
    server_name: str | None = None

    @model_validator(mode="after")
    def _whole(self) -> TemporalTls:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key go together")
        return self


class TemporalSettings(_Target):
    """A namespace of a Temporal cluster. Its workflows have to be named: Temporal itself does not know which there are."""

    orchestrator: Literal["temporal"]
    address: str = Field(pattern=r"^\S+:\d+$")
    namespace: str = Field(default="default", min_length=1)
    task_queue: str = Field(min_length=1)
    workflows: Names = Field(min_length=1)
    api_key: Secret | None = None
    tls: bool | TemporalTls | None = None
    """As it is where nothing is said: with an API key yes, without one no."""
    web_url: Url | None = None


class ArgoSettings(_WebTarget):
    """A namespace of Argo Workflows, whose WorkflowTemplates are started. token: of a Kubernetes service account."""

    orchestrator: Literal["argo"]
    namespace: str = Field(min_length=1)
    token: Secret | None = None
    workflows: Names = Field(default_factory=dict)


class _Account(_WebTarget):
    """A token, or user and password, or neither."""

    token: Secret | None = None
    user: str | None = None
    password: Secret | None = None

    @model_validator(mode="after")
    def _known_one_way(self) -> Self:
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password go together")
        if self.token is not None and self.user is not None:
            raise ValueError("give token, or user and password, not both")
        return self


class AirflowSettings(_Account):
    """Airflow 3, whose DAGs are started. user, password: for tokens that the gateway fetches and renews itself."""

    orchestrator: Literal["airflow"]
    workflows: Names = Field(default_factory=dict)


class PrefectSettings(_Account):
    """A Prefect server or Prefect Cloud, whose deployments (`flow/deployment`) are started. url: as in PREFECT_API_URL."""

    orchestrator: Literal["prefect"]
    workflows: Names = Field(default_factory=dict)


class DagsterJob(Part):
    """input_at: where in the job's run config the input goes, `ops.deploy.config`; the input is the run config without it."""

    job: str = Field(min_length=1)
    input_at: str = Field(default="", pattern=r"^([^.]+(\.[^.]+)*)?$")


def _jobs(value: object) -> object:
    """A list of names, or names with the job's own name, or with all of a DagsterJob."""
    named = _named(value)
    return {name: {"job": job} if isinstance(job, str) else job for name, job in named.items()} if isinstance(named, Mapping) else named


class DagsterSettings(_WebTarget):
    """A Dagster code location, whose jobs are started. token: sent in the header that `token_header` names."""

    orchestrator: Literal["dagster"]
    location: str = Field(min_length=1)
    repository: str = Field(default="__repository__", min_length=1)
    token: Secret | None = None
    token_header: str = Field(default="Dagster-Cloud-Api-Token", pattern=r"^[A-Za-z0-9-]+$")
    workflows: Annotated[Mapping[str, DagsterJob], BeforeValidator(_jobs)] = Field(default_factory=dict)


class MemorySettings(_Target):
    """Runs in memory that go on by themselves, for trying things out."""

    orchestrator: Literal["memory"]
    workflows: Names = Field(min_length=1)


TargetSettings: TypeAlias = Annotated[
    TemporalSettings | ArgoSettings | AirflowSettings | PrefectSettings | DagsterSettings | MemorySettings,
    Field(discriminator="orchestrator"),
]


def beside(target: TargetSettings, folder: Path) -> TargetSettings:
    """Its files are relative to the configuration, like every path in it."""
    match target:
        case TemporalSettings(tls=TemporalTls() as tls):
            found = {name: path and folder / path for name, path in (("ca", tls.ca), ("certificate", tls.certificate))}
            return target.model_copy(update={"tls": tls.model_copy(update=found)})
        case _WebTarget(ca=Path() as ca):
            return target.model_copy(update={"ca": folder / ca})
    return target
