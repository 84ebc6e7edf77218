"""`targets:` of `admit.yaml`: where workflows run, one block for each orchestrator, by the name it has there.

What every target has: `name`, `orchestrator`, `workflows` (a list of names, or the gateway's names with the target's own;
where none is given, names are passed on as they are), `timeout` (seconds for one request) and `web_url` (where its pages
are, for links, when that is not where its API is).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

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


class MemorySettings(_Target):
    """Runs in memory that go on by themselves, for trying things out."""

    orchestrator: Literal["memory"]
    workflows: Names = Field(min_length=1)


TargetSettings: TypeAlias = Annotated[TemporalSettings | MemorySettings, Field(discriminator="orchestrator")]
