"""What `admit doctor` says of the record: how far it is sealed and signed, by which key, and who may come in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.cli.findings import Finding, bad

if TYPE_CHECKING:
    from gateway.config import Settings


async def record_findings(settings: Settings) -> AsyncIterator[Finding]:
    """Nothing of a database that is not there yet; what is wrong with one that cannot be had is said elsewhere."""
    from gateway import wiring
    from gateway.errors import GatewayError
    from gateway.operations.verify_record import newest_checkpoint
    from providers.errors import ProviderError

    if not _is_there(settings.database):
        return
    try:
        database = wiring.build_database(settings)
        try:
            storage, record = wiring.build_storage(database), wiring.build_sealed_record(database)
            await storage.ready()
            head, signed = await record.head(), await newest_checkpoint(record)
            tokens = await storage.tokens()
        finally:
            await database.close()
    except (GatewayError, ProviderError):
        return
    except ValueError as problem:
        yield bad("record", problem)
        return
    kept = "a key kept in the database (checkpoint_key: keeps one apart)" if settings.checkpoint_key is None else "the configured key"
    up_to = f"signed up to {signed.head.position}" if signed else "none of it signed yet"
    yield Finding(what="record", well=True, says=f"{head.position} entries sealed, {up_to}, by {kept}")
    valid = [token for token in tokens if token.valid(datetime.now(UTC))]
    advice = "make one: admit token create NAME --scope admin"
    says = f"{len(valid)} valid, {sum('admin' in token.scopes for token in valid)} of them admin"
    yield Finding(what="tokens", well=bool(valid) or not tokens, says=says, advice=advice)


def _is_there(url: str) -> bool:
    """Looking must not make a new one."""
    file = url.removeprefix("sqlite:///")
    return file == url or Path(file).exists()
