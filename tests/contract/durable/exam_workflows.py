"""What is promised of workflows: activities, timers, branches, versions, fresh histories, ends."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from gateway.durable import ActivityFailed
from tests.contract.durable.builders import Calls, a_start, ended, kinds, result_of, times


async def add(left, right):
    return left + right


class WorkflowsExam:
    async def test_result_is_what_the_workflow_returns(self, cores):
        """Activities run in order, each with the result of the one before."""

        async def sum_up(ctx, numbers):
            total = 0
            for number in numbers:
                total = await ctx.activity("add", total, number)
            return {"total": total}

        async with cores({"sum": sum_up}, {"add": add}) as core:
            await core.dispatch(a_start("w", "sum", [1, 2, 3]))
            assert await result_of(core, "w") == {"total": 6}

    async def test_sleep_lasts_as_long_as_asked(self, cores):
        """By the history's own times, which do not depend on how busy the machine is."""

        async def nap(ctx, input):
            before = ctx.now()
            await ctx.sleep(0.3)
            return (ctx.now() - before).total_seconds()

        async with cores({"nap": nap}) as core:
            await core.dispatch(a_start("w", "nap"))
            assert await result_of(core, "w") >= 0.3

    async def test_branches_run_side_by_side(self, cores):
        """Each waits for the other, so neither could end if they ran one after another."""
        both = asyncio.Barrier(2)

        async def meet(name):
            await both.wait()
            return name

        async def pair(ctx, input):
            return await ctx.gather(ctx.activity("meet", "left"), ctx.activity("meet", "right"))

        async with cores({"pair": pair}, {"meet": meet}) as core:
            await core.dispatch(a_start("w", "pair"))
            assert await result_of(core, "w") == ["left", "right"]

    async def test_number_of_branches_may_come_from_a_result(self, cores):
        """Fan-out over what an activity found, nested, results in order."""

        async def count():
            return 20

        async def fan(ctx, input):
            async def branch(place):
                first = await ctx.activity("add", place, 1)
                return await ctx.gather(ctx.activity("add", first, 10), ctx.activity("add", first, 20))

            return await ctx.gather(*(branch(place) for place in range(await ctx.activity("count"))))

        async with cores({"fan": fan}, {"add": add, "count": count}) as core:
            await core.dispatch(a_start("w", "fan"))
            assert await result_of(core, "w") == [[place + 11, place + 21] for place in range(20)]

    async def test_no_branches_is_an_empty_list(self, cores):
        """Also when it is all a workflow does."""

        async def nothing(ctx, input):
            return await ctx.gather()

        async with cores({"nothing": nothing}) as core:
            await core.dispatch(a_start("w", "nothing"))
            assert await result_of(core, "w") == []

    async def test_failing_branch_raises_after_all_have_ended(self, cores):
        """The other branch's work is done, not cut off."""
        calls = Calls()

        async def risky(ctx, input):
            async def slow():
                await ctx.sleep(0.1)
                return await ctx.activity("note", "slow")

            async def fails():
                raise ValueError("no")

            try:
                await ctx.gather(fails(), slow())
            except ValueError as problem:
                return str(problem)

        async with cores({"risky": risky}, {"note": calls.note}) as core:
            await core.dispatch(a_start("w", "risky"))
            assert await result_of(core, "w") == "no"
        assert calls.made == ["slow"]

    async def test_now_and_uuid_are_the_same_on_replay(self, cores):
        """Replay recomputes the result; a clock or a die would change it."""

        async def odd(ctx, input):
            first = ctx.uuid()
            await ctx.sleep(0.01)
            return [str(first), str(ctx.uuid()), ctx.now().isoformat()]

        async with cores({"odd": odd}) as core:
            await core.dispatch(a_start("w", "odd"))
            first, second, moment = await result_of(core, "w")
            assert first != second
            assert datetime.fromisoformat(moment).utcoffset() == timedelta(0)
            await core.dispatch(a_start("v", "odd"))
            assert first not in await result_of(core, "v")

    async def test_context_names_workflow_and_run(self, cores):
        """So that activities can be given a key of their own."""

        async def who(ctx, input):
            return [ctx.workflow_id, ctx.run_id]

        async with cores({"who": who}) as core:
            await core.dispatch(a_start("w", "who"))
            assert await result_of(core, "w") == ["w", (await core.describe("w")).run_id]

    async def test_continue_as_new_goes_on_with_a_fresh_history(self, cores):
        """The same id, another run, the input handed on."""

        async def count_down(ctx, left):
            if left:
                ctx.continue_as_new(left - 1)
            return "zero"

        async with cores({"count": count_down}) as core:
            await core.dispatch(a_start("w", "count", 3))

            async def last_run():
                return [run for run in await core.list() if run.result == "zero"]

            from tests.contract.durable.builders import until

            await until(last_run)
            runs = await core.list()
            assert len({run.run_id for run in runs}) == 4
            assert {run.workflow_id for run in runs} == {"w"}
            assert await kinds(core, "w") == ["WorkflowStarted", "WorkflowCompleted"]
            for run in runs:
                await core.replay("w", run.run_id)

    async def test_new_run_takes_the_newest_version(self, cores):
        """A marker it has not passed yet."""

        async def changed(ctx, input):
            before = ctx.version("change", 3)
            await ctx.sleep(0.01)
            return [before, ctx.version("change", 4)]

        async with cores({"changed": changed}) as core:
            await core.dispatch(a_start("w", "changed"))
            assert await result_of(core, "w") == [3, 3]

    async def test_running_history_keeps_the_version_it_passed_without(self, cores):
        """Code that got a marker while a run was under way: 0 where it has passed, the newest further on."""

        async def old(ctx, input):
            await ctx.activity("add", 1, 1)
            await ctx.wait_signal("go")
            return

        async def new(ctx, input):
            first = ctx.version("before", 1)
            await ctx.activity("add", 1, 1 if first == 0 else 2)
            await ctx.wait_signal("go")
            return [first, ctx.version("after", 1)]

        from tests.contract.durable.builders import a_signal, until

        async with cores({"w": old}, {"add": add}) as core:
            await core.dispatch(a_start("w", "w"))
            await until(lambda: times(core, "w", "SignalAwaited"))
        async with cores({"w": new}, {"add": add}) as core:
            await core.dispatch(a_signal("w", "go"))
            assert await result_of(core, "w") == [0, 1]

    async def test_workflow_that_raises_has_failed_with_its_reason(self, cores):
        """A bug in a workflow ends it, visibly."""

        async def wrong(ctx, input):
            return {}["missing"]

        async with cores({"wrong": wrong}) as core:
            await core.dispatch(a_start("w", "wrong"))
            run = await ended(core, "w")
            assert (run.status, run.error) == ("failed", "KeyError: 'missing'")

    async def test_workflow_may_await_nothing_but_its_context(self, cores):
        """A clock or a socket in a workflow would not be there on replay."""

        async def impatient(ctx, input):
            await asyncio.sleep(0)

        async with cores({"impatient": impatient}) as core:
            await core.dispatch(a_start("w", "impatient"))
            run = await ended(core, "w")
            assert run.status == "failed"
            assert "await only what its context offers" in run.error

    async def test_failed_activity_can_be_caught(self, cores):
        """What a refusal means is the workflow's decision."""
        from providers.errors import Conflict

        async def merge():
            raise Conflict("the head has moved")

        async def careful(ctx, input):
            try:
                await ctx.activity("merge")
            except ActivityFailed as problem:
                return [problem.activity, problem.kind, problem.message, problem.permanent]

        async with cores({"careful": careful}, {"merge": merge}) as core:
            await core.dispatch(a_start("w", "careful"))
            assert await result_of(core, "w") == ["merge", "Conflict", "the head has moved", True]

    async def test_payloads_come_back_as_json(self, cores):
        """At once and not only after a restart: tuples are lists, text of every kind survives."""
        odd = ["a\x00b", "\ud800", "🦊", 2**60, 1.5, None, True, {"k": []}]

        async def echo(value):
            return tuple(value)

        async def mirror(ctx, input):
            return [input, await ctx.activity("echo", tuple(input))]

        async with cores({"mirror": mirror}, {"echo": echo}) as core:
            await core.dispatch(a_start("w", "mirror", odd))
            assert await result_of(core, "w") == [odd, odd]
