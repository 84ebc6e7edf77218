"""The target in memory sits the exam, and does what a test tells it."""

from __future__ import annotations

import pytest

from providers.errors import AccessRefused, NotFound, RateLimited, Unreachable
from providers.targets import RunKey, RunState
from providers.targets.memory import MemoryTarget
from tests.contract.targets.exam import TargetExam


class TestMemoryTarget(TargetExam):
    @pytest.fixture
    async def target(self):
        target = MemoryTarget("local", ["deploy"])
        yield target
        await target.close()

    @pytest.fixture
    def advance(self, target):
        async def to(run_id, state):
            target.advance(run_id, state)

        return to

    async def test_runs_show_what_was_started_and_how_often(self, target, key):
        """The input is the first start's, and later changes to the caller's own do not reach it."""
        input = {"versions": ["1"]}
        await target.start("deploy", key, input)
        input["versions"].append("2")
        await target.start("deploy", key, {})
        (run,) = target.runs
        assert (run.workflow, run.key, run.input, run.starts) == ("deploy", key, {"versions": ["1"]}, 2)

    async def test_automatic_run_goes_on_as_it_is_looked_at(self, key):
        """Queued, running, succeeded, and no further."""
        target = MemoryTarget("local", ["deploy"], automatic=True)
        run = await target.start("deploy", key, {})
        seen = [run.state, *[(await target.status(run.id)).state for _ in range(3)]]
        assert seen == [RunState.QUEUED, RunState.RUNNING, RunState.SUCCEEDED, RunState.SUCCEEDED]

    async def test_told_to_be_down_it_starts_nothing(self, target, key):
        """The fault comes before the effect, as often as was asked for."""
        target.weather.down("start", times=1)
        with pytest.raises(Unreachable):
            await target.start("deploy", key, {})
        assert target.runs == ()
        assert (await target.start("deploy", key, {})).state is RunState.QUEUED

    async def test_lost_answer_leaves_the_run(self, target, key):
        """Accepted, then timed out: the run is there to be found, and a second start is that run."""
        target.weather.losing_answers("start", times=1)
        with pytest.raises(Unreachable):
            await target.start("deploy", key, {})
        found = await target.find("deploy", key)
        assert found is not None
        assert (await target.start("deploy", key, {})).id == found.id

    @pytest.mark.parametrize(
        ("bring", "problem"),
        [
            (lambda weather: weather.busy(retry_after=7), RateLimited),
            (lambda weather: weather.refusing(), AccessRefused),
            (lambda weather: weather.down(), Unreachable),
        ],
        ids=["busy", "refusing", "down"],
    )
    async def test_bad_weather_lasts_until_it_clears(self, target, bring, problem, key):
        """Every method meets it."""
        run = await target.start("deploy", key, {})
        bring(target.weather)
        for call in (
            target.start("deploy", key, {}),
            target.find("deploy", key),
            target.status(run.id),
            target.cancel(run.id),
            target.probe(),
        ):
            with pytest.raises(problem):
                await call
        target.weather.clear()
        assert (await target.status(run.id)).state is RunState.QUEUED

    async def test_forgotten_run_is_not_found(self, target):
        """Deleted behind our back."""
        run = await target.start("deploy", RunKey("gone"), {})
        target.forget(run.id)
        with pytest.raises(NotFound):
            await target.status(run.id)

    async def test_ended_run_cannot_be_moved(self, target, key):
        """A test that tries has a mistake."""
        run = await target.start("deploy", key, {})
        target.advance(run.id, RunState.FAILED)
        with pytest.raises(ValueError, match="already"):
            target.advance(run.id, RunState.RUNNING)
