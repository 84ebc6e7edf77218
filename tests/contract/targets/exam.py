"""The targets' exam: an adapter sits it by subclassing it with two fixtures.

`target`: one that knows the workflow `deploy` and no other. `advance`: an async function (run id, RunState) that sees to it
that the run gets there, and may return before it is.
"""

from __future__ import annotations

import asyncio

import pytest

from gateway.operations.judge import new_decision_id
from providers.errors import NotFound, Unsupported
from providers.targets import RunKey, RunState

INPUT = {"version": "1.2", "count": 3, "deep": {"list": [1, None, "ü", True]}, "empty": ""}


async def until(target, run_id, *states, seconds=120):
    """The run once it is in one of these states."""
    async with asyncio.timeout(seconds):
        while (run := await target.status(run_id)).state not in states:
            await asyncio.sleep(0.02)
    return run


@pytest.mark.anyio
class TargetExam:
    """Every promise of `providers.targets.port`."""

    @pytest.fixture
    def key(self):
        """As the gateway makes them."""
        return RunKey(new_decision_id())

    async def test_started_run_is_known(self, target, key):
        """It has an id, and has not ended."""
        run = await target.start("deploy", key, INPUT)
        assert run.id
        assert run.state in {RunState.QUEUED, RunState.RUNNING}
        assert (await target.status(run.id)).id == run.id

    async def test_second_start_under_a_key_is_the_first_run(self, target, key):
        """However often it is tried, one decision starts one run, whatever is said the second time."""
        first = await target.start("deploy", key, {"version": "1.2"})
        again = await target.start("deploy", key, {"version": "9.9"})
        assert again.id == first.id

    async def test_starts_at_once_under_a_key_are_one_run(self, target, key):
        """Two gateways that repeat each other's work."""
        runs = await asyncio.gather(*(target.start("deploy", key, {}) for _ in range(5)))
        assert len({run.id for run in runs}) == 1

    async def test_started_run_is_found_by_its_key(self, target, key):
        """So that a start whose answer was lost need not be repeated to learn what became of it."""
        assert await target.find("deploy", key) is None
        run = await target.start("deploy", key, {})
        found = await target.find("deploy", key)
        assert found is not None
        assert found.id == run.id

    async def test_who_answers_is_told(self, target):
        """For `admit doctor` and the pages."""
        assert await target.probe()
        assert target.orchestrator

    async def test_other_key_is_another_run(self, target, key):
        """The same workflow with the same input may be wanted twice."""
        first = await target.start("deploy", key, {})
        second = await target.start("deploy", RunKey(f"{key}-2"), {})
        assert first.id != second.id

    async def test_key_of_an_ended_run_starts_nothing_new(self, target, advance, key):
        """Also after it is over: the answer is how it ended."""
        run = await target.start("deploy", key, {})
        await advance(run.id, RunState.SUCCEEDED)
        await until(target, run.id, RunState.SUCCEEDED)
        again = await target.start("deploy", key, {})
        assert (again.id, again.state) == (run.id, RunState.SUCCEEDED)

    async def test_unknown_workflow_is_not_found(self, target, key):
        """Permanent: nobody retries it for a day."""
        with pytest.raises(NotFound, match="no-such-workflow"):
            await target.start("no-such-workflow", key, {})

    async def test_unknown_run_is_not_found(self, target):
        """Deleted behind our back, or never started."""
        with pytest.raises(NotFound):
            await target.status("no-such-run")

    @pytest.mark.parametrize("end", [RunState.SUCCEEDED, RunState.FAILED])
    async def test_end_is_seen(self, target, advance, end, key):
        """In the port's word; the target's own rides along."""
        run = await target.start("deploy", key, {})
        await advance(run.id, end)
        seen = await until(target, run.id, end)
        assert seen.state.ended
        assert seen.words

    async def test_cancelled_run_ends_as_cancelled(self, target, key):
        """Or the target says that it cannot."""
        run = await target.start("deploy", key, {})
        if not target.capabilities.cancels:
            with pytest.raises(Unsupported):
                await target.cancel(run.id)
            return
        assert (await target.cancel(run.id)).id == run.id
        await until(target, run.id, RunState.CANCELLED)
        assert (await target.cancel(run.id)).state is RunState.CANCELLED

    async def test_ended_run_stays_as_it_ended(self, target, advance, key):
        """A cancellation that comes too late changes nothing."""
        run = await target.start("deploy", key, {})
        await advance(run.id, RunState.SUCCEEDED)
        await until(target, run.id, RunState.SUCCEEDED)
        if target.capabilities.cancels:
            assert (await target.cancel(run.id)).state is RunState.SUCCEEDED
        assert (await target.status(run.id)).state is RunState.SUCCEEDED

    async def test_unknown_run_cannot_be_cancelled(self, target):
        """It says that it is not there."""
        if target.capabilities.cancels:
            with pytest.raises(NotFound):
                await target.cancel("no-such-run")
