"""Forms that change something: their fields, and proof that it was our page that sent them.

The cookie is `SameSite=Strict` already; the proof holds where a browser or a proxy does not keep to that. It is made of
the hash of the token in the cookie, which no other site can know, and is worth nothing with another token.
"""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import parse_qsl

from fastapi import HTTPException, Request

from gateway.api.bodies import limited_body
from gateway.storage import StoredToken

_LIMIT = 8192


def proof_for(request: Request) -> str | None:
    """What a form of ours carries in its field `proof`; None where nobody is signed in."""
    token: StoredToken | None = request.scope.get("admit.token")
    return None if token is None else hmac.new(token.hash.encode(), b"admit form", hashlib.sha256).hexdigest()


async def proven_fields(request: Request) -> dict[str, str]:
    """The fields of a form of ours. Raises 403 for any other."""
    fields = form_fields(await limited_body(request, _LIMIT))
    proof = proof_for(request)
    if proof is None or not hmac.compare_digest(proof.encode(), fields.get("proof", "").encode()):
        raise HTTPException(403, "this form is not one of ours, or you have signed in anew since: go back, reload the page, try again")
    return fields


def form_fields(body: bytes) -> dict[str, str]:
    """The fields; none where there are too many to be ours."""
    try:
        return dict(parse_qsl(body.decode("utf-8", "replace"), max_num_fields=10))
    except ValueError:
        return {}
