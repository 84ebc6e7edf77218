"""The Temporal cluster as a target sees it: connected when first needed, every call with a deadline, its errors translated.

An API key is asked for at every call, certificates at every connection: they may be renewed while runs are watched.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from temporalio.client import Client
from temporalio.service import RetryConfig, RPCError, RPCStatusCode, TLSConfig

from providers.errors import AccessRefused, NotFound, PermanentError, ProviderError, RateLimited, Unreachable

_ONE_TRY = RetryConfig(max_retries=0)
"""Trying again is the durable core's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """PEM. ca: whom to trust instead of the system's authorities. certificate, key: who we are (mutual TLS)."""

    ca: bytes | None = None
    certificate: bytes | None = None
    key: bytes | None = None
    server_name: str | None = None


class Cluster:
    """One namespace of one cluster."""

    def __init__(
        self, *, target: str, address: str, namespace: str, tls: Callable[[], Tls] | None, api_key: Callable[[], str] | None, timeout: float
    ) -> None:
        self.target, self.address, self.namespace = target, address, namespace
        self._tls, self._api_key, self._timeout = tls, api_key, timeout
        self._client: Client | None = None
        self._connecting = asyncio.Lock()

    @property
    def deadline(self) -> timedelta:
        """For one call."""
        return timedelta(seconds=self._timeout)

    @asynccontextmanager
    async def client(self, what: str) -> AsyncIterator[Client]:
        """Connected, for one use of it, whose faults come out translated. Raises as `providers.errors` says."""
        where = f"{self.target}: {what} at {self.address}"
        try:
            async with asyncio.timeout(self._timeout + 1):  # for what the SDK does without a deadline of its own
                yield await self._connected()
        except TimeoutError as problem:
            raise Unreachable(f"{where}: no answer within {self._timeout:g} s") from problem
        except RPCError as problem:
            if problem.status is RPCStatusCode.UNAVAILABLE:
                self._client = None  # the next connection may have better certificates
            raise self._fault(where, problem) from problem
        except (RuntimeError, ValueError) as problem:  # what the SDK raises when it cannot connect, and for keys that are none
            self._client = None
            raise Unreachable(f"{where}: {self._hidden(str(problem))}") from None

    async def _connected(self) -> Client:
        key = self._api_key() if self._api_key is not None else None
        async with self._connecting:
            if self._client is None:
                self._client = await Client.connect(
                    self.address, namespace=self.namespace, api_key=key, tls=self._encryption(), retry_config=_ONE_TRY, lazy=True
                )
            elif key != self._client.api_key:
                self._client.api_key = key
        return self._client

    def _encryption(self) -> bool | TLSConfig:
        if self._tls is None:
            return False
        tls = self._tls()
        return TLSConfig(server_root_ca_cert=tls.ca, client_cert=tls.certificate, client_private_key=tls.key, domain=tls.server_name)

    def _fault(self, where: str, problem: RPCError) -> ProviderError:
        message = f"{where}: {problem.status.name}: {self._hidden(problem.message)[:1000]}"
        match problem.status:
            case RPCStatusCode.UNAUTHENTICATED:
                return AccessRefused(message, advice=f"target '{self.target}': its API key or certificate is wrong or expired")
            case RPCStatusCode.PERMISSION_DENIED:
                return AccessRefused(message, advice=f"target '{self.target}': may the gateway write to namespace '{self.namespace}'?")
            case RPCStatusCode.NOT_FOUND:
                return NotFound(message)
            case RPCStatusCode.RESOURCE_EXHAUSTED:
                return RateLimited(message)
            case RPCStatusCode.INVALID_ARGUMENT | RPCStatusCode.OUT_OF_RANGE | RPCStatusCode.UNIMPLEMENTED:
                return PermanentError(message)
        return Unreachable(message)

    def _hidden(self, text: str) -> str:
        return text.replace(self._api_key(), "***") if self._api_key is not None else text
