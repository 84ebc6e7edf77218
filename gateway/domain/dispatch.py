"""What sets a workflow going, written beside the row that caused it so that neither is lost without the other."""

from __future__ import annotations

import hashlib

from policies.model import Json
from policies.values import value

ID_LIMIT = 190
"""Characters of an id: what every database can index."""


def id_of(*parts: object) -> str:
    """`a:b:c`; where that is too long, its beginning and a hash of the whole, so that no two become one."""
    text = ":".join(str(part) for part in parts)
    if len(text) <= ID_LIMIT:
        return text
    return f"{text[: ID_LIMIT - 33]}~{hashlib.sha256(text.encode()).hexdigest()[:32]}"


@value
class Dispatch:
    """Start this workflow, or signal it, or signal it and start it if it does not run.

    id: makes it happen once, however often it is written or read.
    workflow_type None: only signal what runs (dropped if nothing does).
    signal None: only start (ignored while a run of `workflow_id` is going, or if `start_key` has been used).
    start_key: refuses a second start for as long as it is kept.
    delay: seconds before a started run's first step.
    """

    id: str
    workflow_id: str
    workflow_type: str | None
    input: Json = None
    signal: str | None = None
    payload: Json = None
    start_key: str | None = None
    delay: float = 0.0
