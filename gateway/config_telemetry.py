"""`telemetry:` of `admit.yaml`: where traces go."""

from __future__ import annotations

from pydantic import Field

from gateway.config_parts import Part, Secret


class TelemetrySettings(Part):
    """An OTLP receiver over HTTP. endpoint: `http://collector:4318`. headers: what it wants to be sent, such as an API key.

    ratio: how many of the traces begun here are kept.
    """

    endpoint: str = Field(pattern=r"^https?://\S+$")
    service_name: str = Field(default="admittance", min_length=1)
    headers: dict[str, Secret] = Field(default_factory=dict)
    ratio: float = Field(default=1.0, ge=0, le=1)
