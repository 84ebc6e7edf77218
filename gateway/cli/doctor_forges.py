"""What `admit doctor` looks at in a connection: whether it answers, what its account may do, and what is left of its allowance.

Separate from the doctor's round, since a forge is asked three questions and each has several answers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from gateway.cli.findings import Finding, bad

if TYPE_CHECKING:
    from gateway.config import Connection
    from providers.vcs import Allowance, Forge

MOST_REPOSITORIES = 20
"""Whose permissions are looked at; `admit connect NAME --check` looks at all."""
LOW = 0.1
"""Share of an allowance below which little is left."""


async def look_at(connection: Connection) -> AsyncIterator[Finding]:
    """Everything that can be said of it; what cannot be asked is missing."""
    from gateway import wiring
    from gateway.errors import GatewayError
    from providers.errors import ProviderError

    what = f"connection {connection.name}"
    try:
        forge = wiring.build_forge(connection)
    except GatewayError as problem:
        yield bad(what, problem)
        return
    try:
        yield Finding(what=what, well=True, says=await forge.probe())
        for allowance in await forge.budget():
            yield _left(what, allowance)
        async for finding in _rights(forge, connection, what):
            yield finding
    except ProviderError as problem:
        yield bad(what, problem)
    finally:
        await forge.close()


async def _rights(forge: Forge, connection: Connection, what: str) -> AsyncIterator[Finding]:
    seen = await forge.repositories(connection.repositories)
    if not seen and connection.forge != "memory":
        says = f"sees no repository that fits {', '.join(connection.repositories)}"
        yield Finding(what=what, well=False, says=says, advice="give its account access, or correct `repositories`")
    lacking = {name: await forge.missing_rights(name) for name in [one.name for one in seen[:MOST_REPOSITORIES]]}
    for name, rights in lacking.items():
        for right in rights:
            yield Finding(what=f"{what} {name}", well=False, says=right, advice="give it what is lacking")
    if seen and not any(lacking.values()):
        more = f", of which {MOST_REPOSITORIES} were looked at" if len(seen) > MOST_REPOSITORIES else ""
        yield Finding(what=f"{what} permissions", well=True, says=f"all it needs in {_counted(len(seen))}{more}")


def _counted(repositories: int) -> str:
    return "1 repository" if repositories == 1 else f"{repositories} repositories"


def _left(what: str, allowance: Allowance) -> Finding:
    whole = f"{allowance.whole_at:%Y-%m-%d %H:%M} UTC"
    says = f"{allowance.left} of {allowance.limit} left until {whole}"
    enough = allowance.left >= allowance.limit * LOW
    return Finding(
        what=f"{what} allowance {allowance.name}", well=enough, says=says, advice="wait, or share the account with fewer programs"
    )
