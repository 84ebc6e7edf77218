"""What is promised when processes come and go: handing over, taking over, several at work on one database."""

from __future__ import annotations

import asyncio

from tests.contract.durable.builders import Calls, a_signal, a_start, ended, kinds, quick, result_of, times, until


class RecoveryExam:
    async def test_stopped_core_hands_over(self, cores):
        """Its runs go on elsewhere at once, without waiting for anybody to be taken for dead."""
        calls, begun = Calls(), asyncio.Event()

        async def hang():
            begun.set()
            await asyncio.sleep(3600)

        async def work():
            return await calls.note("worked")

        async def workflow(ctx, input):
            await ctx.activity("note", 1)
            return await ctx.activity("work", timeout=3600)

        async with cores({"w": workflow}, {"note": calls.note, "work": hang}, lease=3600.0) as core:
            await core.dispatch(a_start("w", "w"))
            await asyncio.wait_for(begun.wait(), 240)
            await core.stop(grace=0.05)
        async with cores({"w": workflow}, {"note": calls.note, "work": work}, lease=3600.0) as core:
            assert await result_of(core, "w") == "worked"
            assert await times(core, "w", "AttemptLost") == 0  # handed over in order is not lost
        assert calls.made == [1, "worked"]

    async def test_stopping_core_lets_activities_end(self, cores):
        """Their results are kept, and nothing new is begun."""
        begun, calls = asyncio.Event(), Calls()

        async def slow():
            begun.set()
            await asyncio.sleep(0.3)
            return "slow"

        async def workflow(ctx, input):
            first = await ctx.activity("slow")
            return [first, await ctx.activity("note", "next")]

        async with cores({"w": workflow}, {"slow": slow, "note": calls.note}) as core:
            await core.dispatch(a_start("w", "w"))
            await asyncio.wait_for(begun.wait(), 240)
            await core.stop(grace=30)
            assert "ActivityCompleted" in await kinds(core, "w")
            assert calls.made == []
        async with cores({"w": workflow}, {"slow": slow, "note": calls.note}) as core:
            assert await result_of(core, "w") == ["slow", "next"]

    async def test_nothing_runs_before_start_and_after_stop(self, cores):
        """What is dispatched meanwhile is kept."""
        calls = Calls()

        async def workflow(ctx, input):
            return await ctx.activity("note", input)

        async with cores({"w": workflow}, {"note": calls.note}) as core:
            await core.stop()
            await core.dispatch(a_start("w", "w", 1))
            run = await core.result("w", timeout=0.3)
            assert not run.status.ended
            await core.start()
            assert await result_of(core, "w") == 1

    async def test_two_cores_share_the_work(self, cores):
        """Each run is done by one of them, once."""
        calls = Calls()

        async def workflow(ctx, input):
            first = await ctx.activity("note", input)
            await ctx.sleep(0.01)
            return first

        async with cores({"w": workflow}, {"note": calls.note}) as left, cores({"w": workflow}, {"note": calls.note}) as right:
            for number in range(40):
                await (left, right)[number % 2].dispatch(a_start(f"w{number}", "w", number))
            for number in range(40):
                assert await result_of((left, right)[number % 2], f"w{number}") == number
        assert sorted(calls.made) == list(range(40))

    async def test_signal_dispatched_by_one_core_reaches_a_run_of_another(self, cores):
        """Also while that run's other branch keeps it in memory."""
        release = asyncio.Event()

        async def block():
            await release.wait()

        async def set_free():
            release.set()

        async def workflow(ctx, input):
            async def listen():
                signal = await ctx.wait_signal("go")
                await ctx.activity("release")
                return signal.payload

            return await ctx.gather(ctx.activity("block", timeout=3600), listen())

        activities = {"block": block, "release": set_free}
        async with cores({"w": workflow}, activities) as left, cores({}, {}) as right:
            await right.stop()
            await left.dispatch(a_start("w", "w"))
            await until(lambda: times(left, "w", "SignalAwaited"))
            await right.dispatch(a_signal("w", "go", 3))
            assert await result_of(left, "w") == [None, 3]

    async def test_more_branches_than_slots_all_run(self, cores):
        """Attempts at once are bounded; the rest wait their turn."""
        most, now = 0, 0
        four_at_once = asyncio.Event()

        async def count(place):
            nonlocal most, now
            now += 1
            most = max(most, now)
            if now == 4:
                four_at_once.set()
            await asyncio.wait_for(four_at_once.wait(), 240)
            await asyncio.sleep(0.01)
            now -= 1
            return place

        async def workflow(ctx, input):
            return await ctx.gather(*(ctx.activity("count", place, schedule=quick()) for place in range(20)))

        async with cores({"w": workflow}, {"count": count}, concurrency=4) as core:
            await core.dispatch(a_start("w", "w"))
            assert await result_of(core, "w") == list(range(20))
        assert most == 4

    async def test_many_more_runs_than_slots_all_end(self, cores):
        """What does not fit waits in the database."""

        async def workflow(ctx, input):
            await ctx.sleep(0.01)
            return await ctx.activity("double", input)

        async def double(value):
            return 2 * value

        async with cores({"w": workflow}, {"double": double}, concurrency=2) as core:
            await asyncio.gather(*(core.dispatch(a_start(f"w{number}", "w", number)) for number in range(60)))
            for number in range(60):
                assert (await ended(core, f"w{number}")).result == 2 * number
