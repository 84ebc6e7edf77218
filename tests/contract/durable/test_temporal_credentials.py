"""A cluster behind TLS that asks who comes: real certificates, in front of a real Temporal."""

from __future__ import annotations

import pytest

from gateway.config import Durable
from gateway.durable.port import DurableError
from gateway.errors import ConfigurationWrong
from gateway.storage import Database
from gateway.storage.migrations import migrate
from gateway.wiring import build_core
from tests.contract.durable.temporal_cores import fresh_queue
from tests.servers.temporal import need_temporal, session_temporal
from tests.servers.temporal_tls import Authority, behind_tls

pytestmark = pytest.mark.anyio


@pytest.fixture
async def outbox(tmp_path):
    """The gateway's own database."""
    need_temporal()
    opened = Database(f"sqlite:///{tmp_path}/admit.db")
    migrate(opened)
    yield opened
    await opened.close()


async def test_cluster_that_asks_for_certificates_gets_them(outbox, tmp_path):
    """As configured in admit.yaml; without them it is not reached, and nothing is sent in clear."""
    authority = Authority(tmp_path)
    certificate, key = authority.issue("gate")
    async with behind_tls(authority) as address:
        tls = {"ca": authority.ca, "certificate": certificate, "key": f"file:{key}", "server_name": "temporal.test"}
        known = _core(outbox, address, tls=tls)
        await known.start()
        try:
            await known.alive()
        finally:
            await known.stop()
        for credentials in ({}, {"tls": True}, {"tls": {"ca": authority.ca, "server_name": "temporal.test"}}):
            stranger = _core(outbox, address, **credentials)
            with pytest.raises(DurableError):
                await stranger.start()


async def test_certificate_that_cannot_be_read_is_named(outbox, tmp_path):
    """Before anything is connected."""
    core = _core(outbox, "127.0.0.1:1", tls={"ca": tmp_path / "nowhere.pem"})
    with pytest.raises(ConfigurationWrong, match=r"durable\.temporal\.tls: .*nowhere\.pem cannot be read"):
        await core.start()


async def test_api_key_is_sent_encrypted_and_as_it_is_now(outbox, tmp_path):
    """With a key in a file that is replaced; a key goes over TLS although nothing says so."""
    secret = tmp_path / "key"
    secret.write_text("one")
    core = _core(outbox, session_temporal(), api_key=f"file:{secret}")
    with pytest.raises(DurableError) as refused:  # a server without TLS
        await core.start()
    assert "one" not in str(refused.value)
    plain = _core(outbox, session_temporal(), api_key=f"file:{secret}", tls=False)
    await plain.start()
    try:
        client = await plain._server.client()
        assert client.api_key == "one"
        secret.write_text("two")
        assert (await plain._server.client()).api_key == "two"
        await plain.alive()
    finally:
        await plain.stop()


def _core(outbox, address, **credentials):
    cluster = {"address": address, "task_queue": fresh_queue(), **credentials}
    return build_core(outbox, {}, Durable.model_validate({"temporal": cluster}))
