"""What is promised of histories: replay, differences with both sides, limits, what is seen from outside, retention."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.durable import NonDeterministic, PayloadTooLarge, UnknownWorkflow
from tests.contract.durable.builders import a_signal, a_start, ended, kinds, result_of, times, until


async def echo(value):
    return value


async def one(ctx, input):
    await ctx.activity("echo", 1)
    await ctx.wait_signal("go")
    return "one"


async def two(ctx, input):
    await ctx.activity("echo", 2)
    await ctx.wait_signal("go")
    return "two"


class HistoriesExam:
    async def test_history_has_every_input_and_result(self, cores):
        """In order, without gaps, with times that do not run backwards."""
        async with cores({"w": one}, {"echo": echo}) as core:
            await core.dispatch(a_start("w", "w", {"in": "put"}))
            await core.dispatch(a_signal("w", "go", "now"))
            await ended(core, "w")
            events = await core.history("w")
            assert [event.kind for event in events] == [
                "WorkflowStarted",
                "ActivityScheduled",
                "ActivityCompleted",
                "SignalAwaited",
                "SignalConsumed",
                "WorkflowCompleted",
            ]
            assert [event.sequence for event in events] == [1, 2, 3, 4, 5, 6]
            assert sorted(event.at for event in events) == [event.at for event in events]
            assert events[0].attributes["input"] == {"in": "put"}
            assert events[1].attributes["arguments"] == [1]
            assert events[2].attributes["result"] == 1
            assert events[4].attributes["payload"] == "now"
            assert events[5].attributes["result"] == "one"

    async def test_replay_touches_nothing(self, cores):
        """No activity runs, no event is added."""
        calls = []

        async def counted(value):
            calls.append(value)
            return value

        async with cores({"w": one}, {"echo": counted}) as core:
            await core.dispatch(a_start("w", "w"))
            await core.dispatch(a_signal("w", "go"))
            run = await ended(core, "w")
            before = await core.history("w")
            assert await core.replay("w") == run
            assert await core.history("w") == before
        assert calls == [1]

    async def test_replay_names_the_first_difference_with_both_sides(self, cores):
        """Against code that asks for something else."""
        async with cores({"w": one}, {"echo": echo}) as core:
            await core.dispatch(a_start("w", "w"))
            await core.dispatch(a_signal("w", "go"))
            await ended(core, "w")
        async with cores({"w": two}, {"echo": echo}) as core:
            with pytest.raises(NonDeterministic) as problem:
                await core.replay("w")
            assert str(problem.value) == (
                'history: event 2: ActivityScheduled {"command":"1","activity":"echo","arguments":[1]}; '
                'code: command 1: ActivityScheduled {"activity":"echo","arguments":[2]}'
            )

    async def test_run_that_does_not_fit_the_code_rests_visibly_and_goes_on_with_code_that_does(self, cores):
        """It is neither failed nor guessed on: a deployment rolled back finds it as it was."""
        async with cores({"w": one}, {"echo": echo}) as core:
            await core.dispatch(a_start("w", "w"))
            await until(lambda: times(core, "w", "SignalAwaited"))
        async with cores({"w": two}, {"echo": echo}) as core:
            await core.dispatch(a_signal("w", "go"))
            run = await until(lambda: _stuck(core))
            assert run.status == "parked"
            assert run.error.startswith("NonDeterministic: history: event 2")
            assert await kinds(core, "w") == ["WorkflowStarted", "ActivityScheduled", "ActivityCompleted", "SignalAwaited"]
        async with cores({"w": one}, {"echo": echo}) as core:
            await core.dispatch(a_signal("w", "nudge"))
            assert await result_of(core, "w") == "one"

    async def test_run_of_an_unknown_workflow_rests_visibly_and_can_be_cancelled(self, cores):
        """Another process, or the next release, may know it."""
        async with cores({"w": one}, {"echo": echo}) as core:
            await core.dispatch(a_start("w", "w", delay=0.2))
        async with cores({}) as core:
            run = await until(lambda: _stuck(core))
            assert run.error.startswith("UnknownWorkflow: no workflow 'w' here")
            with pytest.raises(UnknownWorkflow, match="no workflow 'w' in this code"):
                await core.replay("w")
            await core.cancel("w", by="ana")
            assert (await ended(core, "w")).error == "cancelled by ana"

    async def test_unknown_workflow_is_refused_at_the_door(self, cores):
        """Before anything is written."""
        async with cores({"w": one}) as core:
            with pytest.raises(UnknownWorkflow, match="no workflow 'v'; there are w"):
                await core.dispatch(a_start("v", "v"))
            for ask in (core.describe, core.history, core.replay, core.dead_letter):
                with pytest.raises(UnknownWorkflow):
                    await ask("v")
            with pytest.raises(UnknownWorkflow):
                await core.result("v", timeout=0.01)

    @pytest.mark.parametrize("payload", [object(), float("nan"), "x" * 300_000, b"bytes"], ids=["object", "nan", "too big", "bytes"])
    async def test_payload_that_is_not_small_json_is_refused_at_the_door(self, cores, payload):
        """With what to do about it."""
        async with cores({"w": one}) as core:
            with pytest.raises(PayloadTooLarge, match=r"expected a JSON value|digest of a blob"):
                await core.dispatch(a_start("w", "w", payload))
            with pytest.raises(PayloadTooLarge):
                await core.dispatch(a_signal("w", "go", payload))
            assert await core.list() == []

    async def test_result_of_an_activity_that_is_too_large_is_a_refusal(self, cores):
        """Trying again would not make it smaller."""

        async def heavy():
            return "x" * 300_000

        async def lift(ctx, input):
            await ctx.activity("heavy")

        async with cores({"w": lift}, {"heavy": heavy}) as core:
            await core.dispatch(a_start("w", "w"))
            run = await ended(core, "w")
            assert run.error.startswith("ActivityFailed: heavy: PayloadTooLarge: result of activity 'heavy'")

    async def test_result_waits_no_longer_than_asked(self, cores):
        """And gives the run as it stands."""
        async with cores({"w": one}, {"echo": echo}) as core:
            await core.dispatch(a_start("w", "w"))
            run = await core.result("w", timeout=0.1)
            assert not run.status.ended

    async def test_list_is_newest_first_and_narrowed_as_asked(self, cores):
        """By type, by types left out and by status."""
        async with cores({"w": one, "v": two}, {"echo": echo}) as core:
            for number in range(4):
                await core.dispatch(a_start(f"w{number}", "w" if number % 2 else "v"))
            await core.dispatch(a_signal("w1", "go"))
            await ended(core, "w1")
            assert [run.workflow_id for run in await core.list()] == ["w3", "w2", "w1", "w0"]
            assert [run.workflow_id for run in await core.list(limit=2)] == ["w3", "w2"]
            assert [run.workflow_id for run in await core.list(type="w")] == ["w3", "w1"]
            assert [run.workflow_id for run in await core.list(without=["w", "other"])] == ["w2", "w0"]
            assert [run.workflow_id for run in await core.list(status=(await core.describe("w1")).status)] == ["w1"]

    async def test_retired_runs_are_forgotten_with_their_start_keys(self, cores):
        """What is still going, and what failed, stays."""

        async def wrong(ctx, input):
            raise ValueError("no")

        async with cores({"w": one, "wrong": wrong}, {"echo": echo}) as core:
            await core.dispatch(a_start("done", "w", start_key="key"))
            await core.dispatch(a_signal("done", "go"))
            await ended(core, "done")
            await core.dispatch(a_start("going", "w"))
            await core.dispatch(a_start("failed", "wrong"))
            await ended(core, "failed")
            assert await core.retire(before=datetime.now(UTC) - timedelta(hours=1)) == 0

            async def retired():
                return await core.retire(before=datetime.now(UTC) + timedelta(hours=1))

            assert await until(retired) == 1
            await until(lambda: _forgotten(core, "done"))
            assert sorted(run.workflow_id for run in await core.list()) == ["failed", "going"]
            await core.dispatch(a_start("again", "w", start_key="key"))
            assert (await core.describe("again")).type == "w"

    async def test_queue_says_how_the_work_stands(self, cores):
        """Counted, with the oldest that waits."""

        async def wrong(ctx, input):
            raise ValueError("no")

        async with cores({"w": one, "wrong": wrong}, {"echo": echo}) as core:
            for number in range(3):
                await core.dispatch(a_start(f"w{number}", "w"))
            await core.dispatch(a_start("dead", "wrong"))
            await ended(core, "dead")

            async def settled():
                state = await core.queue()
                return state if (state.parked, state.dead_letters) == (3, 1) else None

            state = await until(settled)
            assert (state.waiting, state.oldest_due_at, state.running) == (0, None, 0)
        async with cores({"w": one}, {"echo": echo}) as core:
            await core.stop()
            await core.dispatch(a_start("late", "w"))

            async def counted():
                state = await core.queue()
                return state if state.waiting == 1 else None

            assert (await until(counted)).oldest_due_at is not None


async def _forgotten(core, workflow_id):
    """Neither listed nor to be had; an engine may take a moment for it."""
    if workflow_id in {run.workflow_id for run in await core.list()}:
        return False
    try:
        await core.history(workflow_id)
    except UnknownWorkflow:
        return True
    return False


async def _stuck(core):
    runs = [run for run in await core.list() if run.error is not None]
    return runs[0] if runs else None
