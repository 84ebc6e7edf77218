"""How this house is known to a Temporal cluster: TLS, who we are in it, and an API key. Read anew at every connection, the
key at every use: they may be renewed while the gateway runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from temporalio.service import TLSConfig

from gateway.errors import ConfigurationWrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """tls: encrypted. ca: PEM, whom to trust instead of the system's authorities. certificate, key: PEM, who we are
    (mutual TLS). api_key, key: called whenever one is needed."""

    tls: bool = False
    ca: Path | None = None
    certificate: Path | None = None
    key: Callable[[], str] | None = None
    server_name: str | None = None
    api_key: Callable[[], str] | None = None

    def encryption(self) -> bool | TLSConfig:
        """For a connection. Raises ConfigurationWrong for a file that cannot be read."""
        if not self.tls:
            return False
        return TLSConfig(
            server_root_ca_cert=_read(self.ca),
            client_cert=_read(self.certificate),
            client_private_key=self.key().encode() if self.key is not None else None,
            domain=self.server_name,
        )


def _read(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as problem:
        raise ConfigurationWrong(f"durable.temporal.tls: {path} cannot be read: {problem.strerror}", advice="name a PEM file") from problem
