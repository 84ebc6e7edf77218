"""Settings of the record: which key signs its checkpoints, and how long what may hold personal data is kept."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, InstanceOf, ValidationInfo

from gateway.config_parts import Part, secret_text
from gateway.domain.checkpoint import SigningKey, read_private_key


def _key(value: object, info: ValidationInfo) -> object:
    if isinstance(value, SigningKey):
        return value
    try:
        return read_private_key(secret_text(value, info).get_secret_value())
    except ValueError as problem:
        raise ValueError(f"{problem}; make one with: openssl genpkey -algorithm ed25519") from problem


CheckpointKey = Annotated[InstanceOf[SigningKey], BeforeValidator(_key)]


class Retention(Part):
    """Days after which bytes that may hold personal data are dropped; None = never. Decisions and the audit always stay.

    facts: what decisions were judged by; such a decision can then not be replayed any more. deliveries: what webhooks
    brought; needed by nobody once they have been judged.
    """

    facts: float | None = Field(default=None, gt=0)
    deliveries: float | None = Field(default=None, gt=0)
