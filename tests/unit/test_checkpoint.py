"""Checkpoints: what is signed, by which key, and how keys are read."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.chain import Head
from gateway.domain.checkpoint import (
    checkpoint_document,
    checkpoint_from_document,
    new_key,
    read_private_key,
    read_public_key,
    signed_truly,
    thinned,
)

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
KEY = new_key()
HEAD = Head(position=7, hash="ab" * 32)


def test_checkpoint_read_back_is_still_signed():
    """What is handed out is all that is needed to check it."""
    made = KEY.checkpoint(HEAD, NOON)
    again = checkpoint_from_document(checkpoint_document(made))
    assert again == made
    assert signed_truly(again)


@given(st.integers(1, 2**40), st.text("0123456789abcdef", min_size=64, max_size=64), st.integers(1, 10**6))
def test_nothing_of_a_checkpoint_can_be_changed(position, hash, seconds):
    """Not where, not what, not when, not by whom."""
    made = KEY.checkpoint(HEAD, NOON)
    changed = [
        replace(made, head=replace(HEAD, position=position)),
        replace(made, head=replace(HEAD, hash=hash)),
        replace(made, at=NOON + timedelta(seconds=seconds)),
        replace(made, key=new_key().public),
    ]
    assert not any(signed_truly(one) for one in changed if one != made)


def test_the_private_key_is_never_printed():
    """Neither itself nor in what holds it."""
    assert KEY.private.hex() not in repr(KEY)
    assert repr(KEY.private) not in repr(KEY)


def test_keys_are_read_from_what_people_have():
    """PEM as openssl writes it, hex, base64."""
    private = Ed25519PrivateKey.generate()
    raw = private.private_bytes_raw()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    assert {read_private_key(text).private for text in (pem, raw.hex(), f" {raw.hex()}\n", base64.b64encode(raw).decode())} == {raw}
    public = private.public_key()
    public_pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    expected = public.public_bytes_raw().hex()
    assert {read_public_key(text) for text in (public_pem, expected, read_private_key(pem).public)} == {expected}


@pytest.mark.parametrize("text", ["", "secret", "00" * 31, "zz" * 32, "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----"])
def test_what_is_no_key_is_refused(text):
    """By what is configured and by what is verified with alike."""
    with pytest.raises(ValueError):
        read_private_key(text)
    with pytest.raises(ValueError):
        read_public_key(text.replace("PRIVATE", "PUBLIC"))


def test_a_key_of_another_kind_is_refused():
    """With what it should be."""
    other = generate_private_key(SECP256R1())
    with pytest.raises(ValueError, match="expected an Ed25519 key"):
        read_private_key(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())
    with pytest.raises(ValueError, match="expected an Ed25519 key"):
        read_public_key(other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())


@pytest.mark.parametrize("document", [None, [], {}, {"position": "1"}, {**checkpoint_document(KEY.checkpoint(HEAD, NOON)), "at": 7}])
def test_what_is_no_checkpoint_is_refused(document):
    """As a value error, whatever it is."""
    with pytest.raises(ValueError):
        checkpoint_from_document(document)


def test_only_the_last_of_two_near_ones_may_be_replaced():
    """The first stays, and so does one of another key."""
    first = KEY.checkpoint(HEAD, NOON)
    near, far = KEY.checkpoint(HEAD, NOON + timedelta(seconds=59)), KEY.checkpoint(HEAD, NOON + timedelta(seconds=60))
    assert thinned([]) is thinned([first]) is None
    assert thinned([first, near]) == near
    assert thinned([first, far]) is None
    assert thinned([first, new_key().checkpoint(HEAD, NOON)]) is None
