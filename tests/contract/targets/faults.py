"""The faults' exam of targets with an HTTP API: a proxy before the real server spoils answers, and no spoiled answer is
taken for a run's end, a missing run or a start that did not happen.

An adapter sits it with two fixtures. `upstream`: the server's address. `behind`: a function (address, timeout) that makes a
target which knows the workflow `deploy`, at that address.
"""

from __future__ import annotations

import asyncio
import socket

import pytest

from gateway.operations.judge import new_decision_id
from providers.errors import AccessRefused, NotFound, PermanentError, ProviderError, RateLimited, TemporaryError, Unreachable
from providers.targets import RunKey
from tests.servers.faulty_proxy import Fault, faulty_proxy

EXPECTED = {
    Fault.SERVER_ERROR: Unreachable,
    Fault.FORBIDDEN: AccessRefused,
    Fault.RATE_LIMITED: RateLimited,
    Fault.TOO_MANY: RateLimited,
    Fault.UNAUTHORIZED: AccessRefused,
    Fault.MOVED: Unreachable,
    Fault.HTML: Unreachable,
    Fault.CUT_JSON: Unreachable,
    Fault.CUT_CONNECTION: Unreachable,
    Fault.EMPTY_OBJECT: Unreachable,
    Fault.NULL: Unreachable,
}
LATE = [Fault.SILENCE, Fault.DRIPPING]


@pytest.mark.anyio
class FaultExam:
    """What goes wrong between us and a target."""

    @pytest.fixture
    def key(self):
        """As the gateway makes them."""
        return RunKey(new_decision_id())

    @pytest.fixture
    async def proxy(self, upstream):
        async with faulty_proxy(upstream) as proxy:
            yield proxy

    @pytest.fixture
    async def target(self, proxy, behind):
        target = behind(proxy.url, 60)
        yield target
        await target.close()

    @pytest.mark.parametrize("fault", EXPECTED)
    async def test_spoiled_answer_is_a_fault(self, target, proxy, key, fault):
        """Of the right kind, whatever was asked; with the seconds to wait where the target said so."""
        run = await target.start("deploy", key, {})
        proxy.spoil = lambda request: fault
        calls = {"start": target.start("deploy", RunKey(f"{key}-2"), {}), "find": target.find("deploy", key)}
        calls |= {"status": target.status(run.id), "cancel": target.cancel(run.id), "probe": target.probe()}
        for name, call in calls.items():
            with pytest.raises(ProviderError) as raised:
                await call
            assert isinstance(raised.value, EXPECTED[fault]), (name, raised.value)
            assert not isinstance(raised.value, NotFound)
            if fault in {Fault.RATE_LIMITED, Fault.TOO_MANY}:
                assert raised.value.retry_after == 7
        proxy.spoil = lambda request: None
        assert not (await target.status(run.id)).state.ended, "nothing was done to it"

    @pytest.mark.parametrize("fault", [*EXPECTED, *LATE])
    async def test_start_whose_answer_was_spoiled_is_one_run_in_the_end(self, proxy, behind, key, fault):
        """Accepted, and we do not know: the same key again is the same run, and a look finds it."""
        hasty, target = behind(proxy.url, 2 if fault in LATE else 60), behind(proxy.url, 60)
        before = {"started": False}

        def spoil(request):
            first = not before["started"] and self.starts(request)
            before["started"] = before["started"] or first
            return fault if first else None

        proxy.spoil = spoil
        if fault is Fault.UNAUTHORIZED and self.renews:
            await hasty.start("deploy", key, {})
        else:
            with pytest.raises((TemporaryError, PermanentError)):
                await hasty.start("deploy", key, {})
        if before["started"]:  # a slow machine may have lost patience before
            found = await target.find("deploy", key)
            assert found is not None
        again = await target.start("deploy", key, {})
        assert (await target.find("deploy", key)).id == again.id
        assert (await target.start("deploy", key, {})).id == again.id
        for each in (hasty, target):
            await each.close()

    async def test_two_gateways_at_once_start_one_run(self, upstream, behind, key):
        """Each tries again as the durable core would while it is told to; both end with the same run."""
        first, second = behind(upstream, 60), behind(upstream, 60)

        async def insisting(target):
            for _ in range(100):
                try:
                    return await target.start("deploy", key, {})
                except TemporaryError:
                    await asyncio.sleep(0.05)
            raise AssertionError("it never started")

        runs = await asyncio.gather(*(insisting(target) for target in (first, second) * 3))
        assert len({run.id for run in runs}) == 1
        for each in (first, second):
            await each.close()

    async def test_target_that_is_down_is_unreachable(self, behind, key):
        """Nobody listens there."""
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            target = behind(f"http://127.0.0.1:{silent.getsockname()[1]}", 60)
            for call in (target.start("deploy", key, {}), target.find("deploy", key), target.probe()):
                with pytest.raises(Unreachable):
                    await call
            await target.close()

    async def test_silence_is_unreachable(self, proxy, behind):
        """Within the time the target is given."""
        target = behind(proxy.url, 0.5)
        for fault in LATE:
            proxy.spoil = lambda request, fault=fault: fault
            with pytest.raises(Unreachable, match=r"within 0\.5 s"):
                await target.probe()
        await target.close()

    # --- what an adapter's exam may know better ------------------------------------------------

    renews = False
    """Does it fetch new credentials by itself, and ask once more?"""

    def starts(self, request):
        """Is it the request that starts a run?"""
        return request.method == "POST"

    async def going(self, upstream, key):
        """How many runs of this key go on, where the target itself can be asked; None where it keeps one run for a key."""
        return
