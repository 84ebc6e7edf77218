"""A TLS front of a real Temporal that asks who comes, with real certificates of an authority of its own."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.servers.temporal import session_temporal


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
            await _gone(behind_writer, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in passing:
            task.cancel()
        await asyncio.gather(*passing, return_exceptions=True)


async def _gone(*writers):
    """Closed now, whatever was still to be sent."""
    for writer in writers:
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


async def _pass(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
