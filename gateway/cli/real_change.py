"""A real change in a dry run: read through the connection it belongs to, judged, and nothing kept or reported.

Separate from judging documents, which loads no forge.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from gateway import wiring
from gateway.config import Connection
from gateway.domain.admission import change_ref, merge_request
from gateway.domain.clock import utc_now
from gateway.domain.record import Decision, FactsOrigin
from gateway.operations.code_owners import ReadCodeOwners
from gateway.operations.footprints import Footprints
from gateway.operations.judge import Judge
from gateway.operations.own_policies import read_own_policies
from policies.errors import EngineBusy, NotCanonical
from policies.repository import OwnPolicies
from providers.errors import ProviderError
from providers.vcs import ChangeKey, Forge


async def judged_change(url: str, connections: Sequence[Connection], judge: Judge, *, at: datetime | None) -> Decision | str:
    """The decision, or why there is none."""
    for connection in connections:
        forge = wiring.build_forge(connection)
        try:
            if (key := forge.locate(url)) is not None:
                return await _decided(forge, key, judge, at or utc_now())
        except (ProviderError, NotCanonical, EngineBusy) as problem:
            return f"the change could not be read: {problem}"
        finally:
            await forge.close()
    return "this is not a change of any connection; add its forge under `connections:` in admit.yaml"


async def _decided(forge: Forge, key: ChangeKey, judge: Judge, at: datetime) -> Decision:
    change = await forge.read_change(key)
    own = await read_own_policies(forge, change)
    footprints = Footprints(own_policies=OwnPolicies(engine=judge.engine))
    owners = await ReadCodeOwners(in_force=judge.in_force, footprints=footprints).if_wanted(forge, change, own)
    request = merge_request(change, at=at, code_owners=owners)
    decision, _ = await judge(request, facts=FactsOrigin.GATHERED, change=change_ref(change), own=own)
    return decision
