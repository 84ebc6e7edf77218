"""A cluster behind TLS that asks who comes: real certificates, in front of a real Temporal."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.config import Durable
from gateway.durable.port import DurableError
from gateway.errors import ConfigurationWrong
from gateway.storage import Database
from gateway.storage.migrations import migrate
from gateway.wiring import build_core
from tests.contract.durable.temporal_cores import fresh_queue
from tests.servers.temporal import need_temporal, session_temporal

pytestmark = pytest.mark.anyio


class Authority:
    """It signs for whom it is asked."""

    def __init__(self, folder):
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        self.ca = self._written("ca.pem", self._certificate(self.name, self.key, authority=True).public_bytes(serialization.Encoding.PEM))

    def issue(self, name):
        """The paths of a certificate for this name, and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._certificate(subject, key, authority=False, host=name)
        text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        written = self._written(f"{name}.pem", certificate.public_bytes(serialization.Encoding.PEM))
        return written, self._written(f"{name}.key", text)

    def _certificate(self, subject, key, *, authority, host="authority.test"):
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def _written(self, name, content):
        path = self.folder / name
        path.write_bytes(content)
        return path


@asynccontextmanager
async def behind_tls(authority):
    """The address of a TLS front of Temporal that lets in who has a certificate of this authority."""
    certificate, key = authority.issue("temporal.test")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.ca)
    context.load_cert_chain(certificate, key)
    context.verify_mode = ssl.CERT_REQUIRED
    context.set_alpn_protocols(["h2"])
    host, _, port = session_temporal().partition(":")
    passing = set()

    async def serve(reader, writer):
        passing.add(asyncio.current_task())
        behind_reader, behind_writer = await asyncio.open_connection(host, int(port))
        try:
            await asyncio.gather(_pass(reader, behind_writer), _pass(behind_reader, writer))
        finally:
            behind_writer.close()
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in passing:
            task.cancel()
        await asyncio.gather(*passing, return_exceptions=True)


async def _pass(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


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
