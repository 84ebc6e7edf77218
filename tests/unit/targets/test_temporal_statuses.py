"""Every status a Temporal cluster may answer with is a fault of ours; none passes for a run's end."""

from __future__ import annotations

import pytest
from temporalio.service import RPCError, RPCStatusCode

from providers.errors import AccessRefused, NotFound, PermanentError, RateLimited, Unreachable
from providers.targets.temporal.cluster import Cluster

FAULTS = {
    RPCStatusCode.OK: Unreachable,
    RPCStatusCode.CANCELLED: Unreachable,
    RPCStatusCode.UNKNOWN: Unreachable,
    RPCStatusCode.INVALID_ARGUMENT: PermanentError,
    RPCStatusCode.DEADLINE_EXCEEDED: Unreachable,
    RPCStatusCode.NOT_FOUND: NotFound,
    RPCStatusCode.ALREADY_EXISTS: Unreachable,
    RPCStatusCode.PERMISSION_DENIED: AccessRefused,
    RPCStatusCode.RESOURCE_EXHAUSTED: RateLimited,
    RPCStatusCode.FAILED_PRECONDITION: Unreachable,
    RPCStatusCode.ABORTED: Unreachable,
    RPCStatusCode.OUT_OF_RANGE: PermanentError,
    RPCStatusCode.UNIMPLEMENTED: PermanentError,
    RPCStatusCode.INTERNAL: Unreachable,
    RPCStatusCode.UNAVAILABLE: Unreachable,
    RPCStatusCode.DATA_LOSS: Unreachable,
    RPCStatusCode.UNAUTHENTICATED: AccessRefused,
}


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.mark.anyio
@pytest.mark.parametrize("status", RPCStatusCode, ids=lambda status: status.name)
async def test_status_is_a_fault_of_its_kind(status):
    """With what the cluster said, but for the key."""
    cluster = Cluster(target="prod", address="127.0.0.1:1", namespace="default", tls=None, api_key=lambda: "canary-4711", timeout=60)
    with pytest.raises(FAULTS[status]) as raised:
        async with cluster.client("look"):
            raise RPCError("the key canary-4711 says so", status, b"")
    assert type(raised.value) is FAULTS[status]
    assert "*** says so" in str(raised.value)
    assert "canary" not in str(raised.value)
