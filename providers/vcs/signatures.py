"""Webhook signatures: HMAC-SHA256 over the bytes as they came, compared in constant time.

Separate because every forge that signs deliveries signs them with this, and only the header's form differs.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence

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
