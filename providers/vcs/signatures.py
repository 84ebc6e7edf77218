"""Webhook signatures: HMAC-SHA256 over the bytes as they came, compared in constant time.

Separate because every forge that signs deliveries signs them with this, and only the header's form differs: bare hex, or
Standard Webhooks (https://www.standardwebhooks.com). GitLab's older way, a secret in a header, is compared here too.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence

STANDARD_PREFIX = "whsec_"
"""How a Standard Webhooks secret begins; its key follows in base64."""
_HEX = re.compile(r"[0-9a-f]{64}")


def sign(secret: str, message: bytes) -> str:
    """The signature as 64 lower-case hex digits."""
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def signed_by_one_of(secrets: Sequence[str], message: bytes, signature: str) -> bool:
    """True if one of the secrets made this signature. Several are known while one is rotated.

    No secret, an empty secret or a signature that is not 64 lower-case hex digits is never a match. Every secret is
    tried, so that the time taken does not tell which one fits.
    """
    if _HEX.fullmatch(signature) is None:
        return False
    matches = [hmac.compare_digest(sign(secret, message), signature) for secret in secrets if secret]
    return any(matches)


def signed_by_standard(secrets: Sequence[str], id: str, timestamp: str, message: bytes, signatures: str) -> bool:
    """True if one of the `whsec_…` secrets made one of the signatures (`v1,<base64>`, several apart by spaces).

    What is signed is `id.timestamp.message`, so neither can be changed. How old the timestamp is, is not looked at: ids
    are kept, and a delivery that comes again changes nothing.
    """
    content = f"{id}.{timestamp}.".encode() + message
    given = [one.removeprefix("v1,") for one in signatures.split(" ") if one.startswith("v1,")]
    keys = [key for secret in secrets if (key := standard_key(secret)) is not None]
    expected = [base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode() for key in keys]
    return any([hmac.compare_digest(one.encode(), other.encode()) for one in expected for other in given])  # noqa: C419 - all are compared


def standard_key(secret: str) -> bytes | None:
    """The key a `whsec_…` secret stands for; None for any other text."""
    encoded = secret.removeprefix(STANDARD_PREFIX)
    if encoded == secret or not encoded:
        return None
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return None


def is_one_of(secrets: Sequence[str], given: str) -> bool:
    """True if a secret itself was given. Every secret is compared, in constant time; an empty one never fits."""
    digest = hashlib.sha256(given.encode("utf-8", "surrogateescape")).digest()
    matches = [hmac.compare_digest(hashlib.sha256(secret.encode()).digest(), digest) for secret in secrets if secret]
    return bool(given) and any(matches)
