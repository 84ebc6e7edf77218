"""What is promised of attempts: schedules, refusals, timeouts, heartbeats, and an operator's hand."""

from __future__ import annotations

import asyncio

import pytest

from gateway.durable import ONCE, DurableError, UnknownWorkflow, heartbeat
from providers.errors import PermanentError, RateLimited, TemporaryError
from tests.contract.durable.builders import Calls, a_signal, a_start, ended, quick, result_of, times, until


def one_activity(schedule, **options):
    """A workflow that does nothing but this."""

    async def workflow(ctx, input):
        return await ctx.activity("work", schedule=schedule, **options)

    return workflow


async def _slow():
    await asyncio.sleep(3600)


async def _throttled():
    raise RateLimited("slow down")


class RetriesExam:
    async def test_temporary_failure_is_tried_again_by_schedule(self, cores):
        """Each failed attempt is an event with its reason and the next attempt's time."""
        calls = Calls()
        work = calls.failing(2, TemporaryError("not yet"))
        async with cores({"w": one_activity(quick(0.05, 0.1))}, {"work": work}) as core:
            await core.dispatch(a_start("w", "w"))
            assert await result_of(core, "w") == 3
            failures = [event for event in await core.history("w") if event.kind == "AttemptFailed"]
            assert [(e.attributes["attempt"], e.attributes["kind"], e.attributes["message"]) for e in failures] == [
                (1, "TemporaryError", "not yet"),
                (2, "TemporaryError", "not yet"),
            ]

    async def test_attempts_are_counted_by_how_they_came_out(self, cores):
        """For whoever watches this process."""
        work = Calls().failing(2, TemporaryError("not yet"))
        refuse = Calls().failing(9, PermanentError("no"))

        async def both(ctx, input):
            await ctx.activity("work", schedule=quick(0.01, 0.01))
            await ctx.activity("refuse")

        async with cores({"w": both}, {"work": work, "refuse": refuse}) as core:
            assert core.attempts() == {}
            await core.dispatch(a_start("w", "w"))
            await ended(core, "w")
            assert core.attempts() == {("work", "failed"): 2, ("work", "succeeded"): 1, ("refuse", "refused"): 1}

    async def test_used_up_schedule_fails_the_activity(self, cores):
        """As many attempts as the schedule has, and no more."""
        calls = Calls()
        work = calls.failing(99, TemporaryError("down"))
        async with cores({"w": one_activity(quick(0.01, 0.01))}, {"work": work}) as core:
            await core.dispatch(a_start("w", "w"))
            run = await ended(core, "w")
            assert (run.status, run.error) == ("failed", "ActivityFailed: work: TemporaryError: down")
        assert len(calls.made) == 3

    async def test_refusal_is_not_tried_again(self, cores):
        """A PermanentError is an answer."""
        calls = Calls()
        work = calls.failing(99, PermanentError("no"))
        async with cores({"w": one_activity(quick(0.01, 0.01))}, {"work": work}) as core:
            await core.dispatch(a_start("w", "w"))
            assert (await ended(core, "w")).status == "failed"
        assert len(calls.made) == 1

    async def test_bug_in_an_activity_is_tried_again_and_named(self, cores):
        """Anything else it raises may pass with the next release."""
        calls = Calls()
        work = calls.failing(1, ZeroDivisionError("oops"))
        async with cores({"w": one_activity(quick(0.01))}, {"work": work}) as core:
            await core.dispatch(a_start("w", "w"))
            assert await result_of(core, "w") == 2
            [failure] = [event for event in await core.history("w") if event.kind == "AttemptFailed"]
            assert (failure.attributes["kind"], failure.attributes["message"]) == ("ZeroDivisionError", "oops")

    async def test_retry_after_is_honoured_and_bounded(self, cores):
        """The other side may ask for more time, not for for ever."""
        calls = Calls()
        work = calls.failing(1, RateLimited("slow down", retry_after=10**6))
        async with cores({"w": one_activity(quick(0.01, retry_after_limit=0.4))}, {"work": work}) as core:
            await core.dispatch(a_start("w", "w"))
            assert await result_of(core, "w") == 2
            history = await core.history("w")
            failed, started = (next(e.at for e in history if e.kind == kind) for kind in ("AttemptFailed", "AttemptStarted"))
            assert (started - failed).total_seconds() >= 0.4

    @pytest.mark.parametrize("work", [_slow, _throttled], ids=["no result in time", "429 that names no time"])
    async def test_side_that_is_slow_or_asks_for_slowness_is_left_alone_for_a_minute(self, cores, work):
        """Whatever the schedule's own delay; what says how long is believed instead."""
        schedule = quick(0.01, retry_after_limit=3600.0)
        async with cores({"w": one_activity(schedule, timeout=0.05)}, {"work": work}) as core:
            await core.dispatch(a_start("w", "w"))
            run = await until(lambda: _parked(core))
            [failure] = [event for event in await core.history("w") if event.kind == "AttemptFailed"]
            assert failure.attributes["retry_after"] == 60.0
            assert 60.0 <= (run.wake_at - failure.at).total_seconds() < 61.0

    async def test_attempt_that_takes_too_long_is_told_to_stop(self, cores):
        """And counts as a temporary failure."""
        told = asyncio.Event()

        async def work():
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                told.set()
                raise

        async with cores({"w": one_activity(ONCE, timeout=0.1)}, {"work": work}) as core:
            await core.dispatch(a_start("w", "w"))
            assert (await ended(core, "w")).error == "ActivityFailed: work: TimedOut: no result within 0.1 s"
        assert told.is_set()

    async def test_silent_attempt_is_told_to_stop(self, cores):
        """Long before its timeout."""

        async def work():
            await asyncio.sleep(3600)

        async with cores({"w": one_activity(ONCE, timeout=3600, heartbeat=0.1)}, {"work": work}) as core:
            await core.dispatch(a_start("w", "w"))
            assert (await ended(core, "w")).error == "ActivityFailed: work: TimedOut: no heartbeat within 0.1 s"

    async def test_attempt_that_beats_may_take_its_time(self, cores):
        """Longer in all than it may be silent, from a thread too. (A machine that stands still costs another attempt, no more.)"""
        import time

        def slowly():
            for _ in range(8):
                heartbeat()
                time.sleep(0.25)

        async def work():
            await asyncio.to_thread(slowly)
            return "done"

        patient = one_activity(quick(0.01, repeat_last_for=3600), timeout=3600, heartbeat=1.5)
        async with cores({"w": patient}, {"work": work}) as core:
            await core.dispatch(a_start("w", "w"))
            assert await result_of(core, "w") == "done"

    async def test_unknown_activity_waits_for_code_that_knows_it(self, cores):
        """The next release may have it."""
        async with cores({"w": one_activity(quick(0.01, repeat_last_for=3600))}, {}) as core:
            await core.dispatch(a_start("w", "w"))
            await until(lambda: times(core, "w", "AttemptFailed"))

        async def work():
            return "known"

        async with cores({"w": one_activity(quick(0.01, repeat_last_for=3600))}, {"work": work}) as core:
            assert await result_of(core, "w") == "known"

    async def test_waiting_retry_is_parked_with_its_time(self, cores):
        """It costs no memory, and whoever looks sees when it goes on."""
        work = Calls().failing(1, TemporaryError("not yet"))
        async with cores({"w": one_activity(quick(3600))}, {"work": work}) as core:
            await core.dispatch(a_start("w", "w"))
            run = await until(lambda: _parked(core))
            assert (run.wake_at - run.started_at).total_seconds() > 3000
            assert run.error == "work: TemporaryError: not yet"

    async def test_operator_retries_now(self, cores):
        """What would have waited an hour."""
        work = Calls().failing(1, TemporaryError("not yet"))
        async with cores({"w": one_activity(quick(3600))}, {"work": work}) as core:
            await core.dispatch(a_start("w", "w"))
            await until(lambda: _parked(core))
            await core.retry("w", by="ana")
            assert await result_of(core, "w") == 2
            assert (await core.describe("w")).error is None
            [order] = [event for event in await core.history("w") if event.kind == "RetryRequested"]
            assert order.attributes["by"] == "ana"

    async def test_operator_gives_up(self, cores):
        """The workflow decides what that means; here it fails."""
        work = Calls().failing(99, TemporaryError("not yet"))
        async with cores({"w": one_activity(quick(3600, 3600))}, {"work": work}) as core:
            await core.dispatch(a_start("w", "w"))
            await until(lambda: _parked(core))
            await core.give_up("w", by="ana")
            assert (await ended(core, "w")).error == "ActivityFailed: work: GivenUp: ana gave up"
            await core.replay("w")

    async def test_operator_sets_another_schedule(self, cores):
        """Used from now on, failures so far count."""
        calls = Calls()
        work = calls.failing(99, TemporaryError("not yet"))
        async with cores({"w": one_activity(quick(3600, 3600, 3600))}, {"work": work}) as core:
            await core.dispatch(a_start("w", "w"))
            await until(lambda: _parked(core))
            await core.reschedule("w", quick(0.01, 0.01), activity="work")
            assert (await ended(core, "w")).status == "failed"
            await core.replay("w")
        assert len(calls.made) == 3

    async def test_order_for_another_activity_changes_nothing(self, cores):
        """It is used up all the same, and does not linger until something else waits."""
        work = Calls().failing(1, TemporaryError("not yet"))
        async with cores({"w": one_activity(quick(3600))}, {"work": work}) as core:
            await core.dispatch(a_start("w", "w"))
            before = await until(lambda: _parked(core))
            await core.retry("w", activity="other")
            after = await until(lambda: _parked(core))
            assert after.wake_at == before.wake_at
            assert await times(core, "w", "RetryRequested") == 0

    async def test_order_to_nothing_known_is_refused(self, cores):
        """A typo is told."""
        async with cores({}) as core:
            for order in (core.cancel, core.retry, core.give_up):
                with pytest.raises(UnknownWorkflow):
                    await order("nobody")

    async def test_cancel_ends_a_parked_run(self, cores):
        """It waits for nothing any more."""

        async def for_ever(ctx, input):
            await ctx.wait_signal("never")

        async with cores({"w": for_ever}) as core:
            await core.dispatch(a_start("w", "w"))
            await until(lambda: _parked(core))
            await core.cancel("w", by="ana")
            run = await ended(core, "w")
            assert (run.status, run.error) == ("cancelled", "cancelled by ana")
            await core.replay("w")
            await core.cancel("w")
            assert (await core.describe("w")).status == "cancelled"

    async def test_cancel_ends_a_run_that_has_not_begun(self, cores):
        """Without waiting for it to begin, and nothing of it is done."""
        calls = Calls()

        async def later(ctx, input):
            await ctx.activity("note", 1)

        async with cores({"w": later}, {"note": calls.note}) as core:
            await core.dispatch(a_start("w", "w", delay=3600))
            await core.cancel("w", by="ana")
            assert (await ended(core, "w")).error == "cancelled by ana"
        assert calls.made == []

    async def test_order_to_a_run_that_begins_at_that_moment_is_refused_or_carried_out(self, cores):
        """Never accepted and forgotten: whoever was told yes need not look again."""

        async def for_ever(ctx, input):
            await ctx.wait_signal("never")

        async def cancelled(core, id):
            while True:
                try:
                    return await core.cancel(id)
                except UnknownWorkflow:
                    await asyncio.sleep(0.002)

        async with cores({"w": for_ever}) as core:
            ids = [f"w{number}" for number in range(20)]
            await asyncio.gather(*(cancelled(core, id) for id in ids), *(core.dispatch(a_start(id, "w")) for id in ids))
            assert [(await ended(core, id)).status for id in ids] == ["cancelled"] * len(ids)

    async def test_cancel_tells_the_running_activity(self, cores):
        """Which may put away what it holds."""
        begun, told = asyncio.Event(), asyncio.Event()

        async def work():
            begun.set()
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                told.set()
                raise

        async with cores({"w": one_activity(ONCE, timeout=3600)}, {"work": work}) as core:
            await core.dispatch(a_start("w", "w"))
            await asyncio.wait_for(begun.wait(), 240)
            await core.cancel("w")
            assert (await ended(core, "w")).status == "cancelled"
            await asyncio.wait_for(told.wait(), 240)

    async def test_cancelled_run_takes_waiting_signals_along(self, cores):
        """And its history says so."""

        async def for_ever(ctx, input):
            await ctx.wait_signal("never")

        async with cores({"w": for_ever}) as core:
            await core.dispatch(a_start("w", "w"))
            await core.dispatch(a_signal("w", "other", 1))
            await core.cancel("w")
            await ended(core, "w")
            assert await times(core, "w", "SignalDropped") == 1

    async def test_errors_of_the_port_have_one_base(self):
        """So that an edge can catch them together."""
        assert issubclass(UnknownWorkflow, DurableError)


async def _parked(core):
    runs = [run for run in await core.list() if run.status == "parked"]
    return runs[0] if runs else None
