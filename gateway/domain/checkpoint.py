"""Signed checkpoints: the chain's head at a moment, with an Ed25519 signature (RFC 8032), to be kept where the database is not.

Whoever can write the whole database can make a whole new chain. He cannot make it lead through a head that somebody else
has kept, nor sign a head with a key he has not got. A checkpoint says which key signed it; whether that is the right one is
for whoever verifies to say.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.domain.chain import Flaw, FlawKind, Head
from policies.canonical import canonical
from policies.model import Json, rfc3339

_PREFIX = b"admit checkpoint\n"
APART_SECONDS = 60
"""Checkpoints that are nearer to one another are thinned out as new ones are made; the newest always stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """head, signed at that time. key, signature: hex of 32 and 64 bytes."""

    head: Head
    at: datetime
    key: str
    signature: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """An Ed25519 private key: its 32 bytes."""

    private: bytes = field(repr=False)

    @property
    def public(self) -> str:
        """Hex of its 32 bytes: what others verify with."""
        return self._key().public_key().public_bytes_raw().hex()  # type: ignore[no-any-return]

    def checkpoint(self, head: Head, at: datetime) -> Checkpoint:
        """This head, signed."""
        public = self.public
        return Checkpoint(head=head, at=at, key=public, signature=self._key().sign(_statement(head, at, public)).hex())

    def _key(self) -> Any:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(self.private)


def new_key() -> SigningKey:
    """32 random bytes are an Ed25519 private key."""
    return SigningKey(private=secrets.token_bytes(32))


def read_private_key(text: str) -> SigningKey:
    """From PEM (`openssl genpkey -algorithm ed25519`), or the hex or base64 of its 32 bytes. Raises ValueError."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if "PRIVATE KEY" in text:
        key = load_pem_private_key(text.encode(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError("expected an Ed25519 key, found one of another kind")
        return SigningKey(private=key.private_bytes_raw())
    return SigningKey(private=_32_bytes(text))


def read_public_key(text: str) -> str:
    """Hex, from PEM or the hex or base64 of its 32 bytes. Raises ValueError."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    if "PUBLIC KEY" in text:
        key = load_pem_public_key(text.encode())
        if not isinstance(key, Ed25519PublicKey):
            raise ValueError("expected an Ed25519 key, found one of another kind")
        return key.public_bytes_raw().hex()
    return _32_bytes(text).hex()


def signed_truly(checkpoint: Checkpoint) -> bool:
    """Whether the key it names has signed what it says."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(checkpoint.key))
        key.verify(bytes.fromhex(checkpoint.signature), _statement(checkpoint.head, checkpoint.at, checkpoint.key))
    except (InvalidSignature, ValueError):
        return False
    return True


def checkpoint_flaws(checkpoints: Sequence[Checkpoint], hashes: Mapping[int, str], *, public_key: str | None) -> Iterator[Flaw]:
    """What is wrong with them. hashes: of the seals at their positions, as far as there are any.

    public_key: the only one that counts; None = whichever each names.
    """
    for checkpoint in checkpoints:
        position = checkpoint.head.position
        name = f"the checkpoint at position {position}, signed {rfc3339(checkpoint.at)},"
        if not signed_truly(checkpoint):
            yield _flaw(FlawKind.CHECKPOINT_CHANGED, position, f"{name} is not what its key has signed")
        elif public_key is not None and checkpoint.key != public_key:
            yield _flaw(FlawKind.CHECKPOINT_CHANGED, position, f"{name} was signed by another key, {checkpoint.key}")
        elif position not in hashes:
            yield _flaw(FlawKind.SEAL_MISSING, position, f"{name} speaks of a seal that is gone: the chain has been cut short")
        elif hashes[position] != checkpoint.head.hash:
            yield _flaw(FlawKind.CHAIN_REWRITTEN, position, f"{name} does not lead to the present chain: it has been rewritten")


def thinned(kept: Sequence[Checkpoint]) -> Checkpoint | None:
    """The last one, where it is nearer to the one before than it needs to be: the next may take its place. In order."""
    if len(kept) < 2 or (kept[-1].at - kept[-2].at).total_seconds() >= APART_SECONDS or kept[-1].key != kept[-2].key:
        return None
    return kept[-1]


def checkpoint_document(checkpoint: Checkpoint) -> dict[str, Json]:
    """As it is kept and handed out."""
    head = checkpoint.head
    return {
        "position": head.position,
        "hash": head.hash,
        "at": rfc3339(checkpoint.at),
        "key": checkpoint.key,
        "signature": checkpoint.signature,
    }


def checkpoint_from_document(document: Any) -> Checkpoint:
    """The inverse of `checkpoint_document`. Raises ValueError for what is none."""
    try:
        position = document["position"]
        if type(position) is not int:
            raise TypeError("position")
        return Checkpoint(
            head=Head(position=position, hash=str(document["hash"])),
            at=datetime.fromisoformat(document["at"]),
            key=str(document["key"]),
            signature=str(document["signature"]),
        )
    except (KeyError, TypeError) as problem:
        raise ValueError(f"expected a checkpoint (position, hash, at, key, signature), found none: {problem!r}") from problem


def _statement(head: Head, at: datetime, key: str) -> bytes:
    return _PREFIX + canonical({"position": head.position, "hash": head.hash, "at": rfc3339(at), "key": key})


def _flaw(kind: FlawKind, position: int, message: str) -> Flaw:
    return Flaw(kind=kind, position=position, message=message)


def _32_bytes(text: str) -> bytes:
    text = "".join(text.split())
    try:
        found = bytes.fromhex(text) if len(text) == 64 else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        found = b""
    if len(found) != 32:
        raise ValueError("expected PEM, or the hex or base64 of 32 bytes")
    return found
