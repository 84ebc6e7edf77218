"""How connections are kept."""

from __future__ import annotations

import asyncio
import socket

import uvicorn
from fastapi import FastAPI

from gateway.cli.serve import listen


def test_a_quiet_connection_outlives_a_load_balancers_patience(monkeypatch):
    """Who stands before the gateway and keeps a connection for a minute never sends a request into one just closed."""
    served: list[uvicorn.Config] = []

    async def serve(self, sockets):
        served.append(self.config)

    monkeypatch.setattr(uvicorn.Server, "serve", serve)
    with socket.socket() as listening:
        asyncio.run(listen(FastAPI(), listening))
    assert [config.timeout_keep_alive > 60 for config in served] == [True]
