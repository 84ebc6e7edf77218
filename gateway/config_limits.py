"""`limits:` of `admit.yaml`: how often anybody may ask."""

from __future__ import annotations

from pydantic import Field

from gateway.config_parts import Part


class LimitSettings(Part):
    """Requests a second, twice as many at once: for each API token, for each connection's deliveries, for each address without
    a token. The defaults stop only what runs away."""

    per_token: float = Field(default=10_000.0, gt=0)
    per_connection: float = Field(default=10_000.0, gt=0)
    per_address: float = Field(default=1_000.0, gt=0)
