"""What is promised of signals and starts: order, exactly once, and that nothing acknowledged is lost."""

from __future__ import annotations

from gateway.domain.dispatch import Dispatch
from tests.contract.durable.builders import Calls, a_signal, a_signal_or_start, a_start, ended, kinds, result_of, times, until


async def collect(ctx, count):
    """As many signals as asked for, in the order they came."""
    got = []
    while len(got) < count:
        signal = await ctx.wait_signal()
        got.append([signal.name, signal.payload])
    return got


async def drain(ctx, input):
    """All signals there are, looked for once more before the end."""
    got = []
    while (signal := await ctx.wait_signal(timeout=0)) is not None:
        got.append(signal.payload)
    return got


class SignalsExam:
    async def test_signals_are_consumed_in_order(self, cores):
        """Of one workflow, whatever they are called."""
        async with cores({"collect": collect}) as core:
            await core.dispatch(a_start("w", "collect", 30))
            for number in range(30):
                await core.dispatch(a_signal("w", f"n{number % 3}", number))
            assert await result_of(core, "w") == [[f"n{number % 3}", number] for number in range(30)]

    async def test_wait_takes_the_next_of_its_names_and_leaves_the_others(self, cores):
        """A signal nobody waits for yet stays where it is in the order."""

        async def picky(ctx, input):
            second = await ctx.wait_signal("b")
            rest = [await ctx.wait_signal(), await ctx.wait_signal("a", "c")]
            return [second.payload, *(signal.payload for signal in rest)]

        async with cores({"picky": picky}) as core:
            await core.dispatch(a_start("w", "picky"))
            for name, payload in [("a", 1), ("a", 2), ("b", 3)]:
                await core.dispatch(a_signal("w", name, payload))
            assert await result_of(core, "w") == [3, 1, 2]

    async def test_wait_ends_with_none_after_its_time(self, cores):
        """Nobody signals."""

        async def impatient(ctx, input):
            return [await ctx.wait_signal("never", timeout=0.05), await ctx.wait_signal(timeout=0)]

        async with cores({"impatient": impatient}) as core:
            await core.dispatch(a_start("w", "impatient"))
            assert await result_of(core, "w") == [None, None]

    async def test_signal_reaches_a_run_whose_activity_is_under_way(self, cores):
        """The other branch does not wait for the activity."""
        import asyncio

        release = asyncio.Event()

        async def block():
            await release.wait()

        async def both(ctx, input):
            async def listen():
                signal = await ctx.wait_signal("go")
                await ctx.activity("release")
                return signal.payload

            return await ctx.gather(ctx.activity("block"), listen())

        async def set_free():
            release.set()

        async with cores({"both": both}, {"block": block, "release": set_free}) as core:
            await core.dispatch(a_start("w", "both"))
            await until(lambda: times(core, "w", "SignalAwaited"))
            await core.dispatch(a_signal("w", "go", 7))
            assert await result_of(core, "w") == [None, 7]

    async def test_dispatch_of_a_known_id_changes_nothing(self, cores):
        """However often it is written."""
        async with cores({"collect": collect}) as core:
            await core.dispatch(a_start("w", "collect", 2))
            for _ in range(3):
                await core.dispatch(Dispatch(id="same", workflow_id="w", workflow_type=None, signal="once", payload=1))
            await core.dispatch(a_signal("w", "last", 2))
            assert await result_of(core, "w") == [["once", 1], ["last", 2]]

    async def test_second_start_is_ignored_while_a_run_is_going(self, cores):
        """One workflow of an id at a time."""
        async with cores({"collect": collect}) as core:
            await core.dispatch(a_start("w", "collect", 1))
            await core.dispatch(a_start("w", "collect", 99))
            await core.dispatch(a_signal("w", "go", 1))
            assert await result_of(core, "w") == [["go", 1]]
            assert len(await core.list()) == 1

    async def test_finished_id_can_run_again(self, cores):
        """As another run; both stay to be seen."""
        async with cores({"drain": drain}) as core:
            await core.dispatch(a_start("w", "drain"))
            first = await ended(core, "w")
            await core.dispatch(a_start("w", "drain"))
            second = await ended(core, "w")
            assert first.run_id != second.run_id
            assert (await core.describe("w", first.run_id)).run_id == first.run_id
            assert (await core.describe("w")).run_id == second.run_id

    async def test_start_key_refuses_a_second_start(self, cores):
        """Also after the first has ended, for as long as it is kept."""
        async with cores({"drain": drain}) as core:
            await core.dispatch(a_start("w", "drain", start_key="once"))
            await ended(core, "w")
            await core.dispatch(a_start("w", "drain", start_key="once"))
            await core.dispatch(a_signal_or_start("v", "drain", "go", start_key="once"))
            assert [run.workflow_id for run in await core.list()] == ["w"]

    async def test_signal_or_start_starts_what_does_not_run_and_signals_what_does(self, cores):
        """In one step."""
        async with cores({"collect": collect}) as core:
            await core.dispatch(a_signal_or_start("w", "collect", "go", 1, input=2))
            await core.dispatch(a_signal_or_start("w", "collect", "go", 2, input=2))
            assert await result_of(core, "w") == [["go", 1], ["go", 2]]
            assert len(await core.list()) == 1

    async def test_signal_to_nothing_is_dropped(self, cores):
        """Nothing runs, and nothing is started by it."""
        async with cores({"collect": collect}) as core:
            await core.dispatch(a_signal("w", "go"))
            assert await core.list() == []

    async def test_delayed_start_waits(self, cores):
        """By the history's own times."""

        async def at_once(ctx, input):
            return ctx.now().isoformat()

        async with cores({"at_once": at_once}) as core:
            await core.dispatch(a_start("w", "at_once", delay=0.5))
            run = await ended(core, "w")
            assert (run.ended_at - run.started_at).total_seconds() >= 0.5

    async def test_unconsumed_signals_go_along_when_continued_as_new(self, cores):
        """None is lost and none is doubled, in order."""

        async def one_each(ctx, got):
            signal = await ctx.wait_signal()
            got = [*got, signal.payload]
            if len(got) == 10:
                return got
            return ctx.continue_as_new(got)

        async with cores({"one_each": one_each}) as core:
            await core.dispatch(a_start("w", "one_each", []))
            for number in range(10):
                await core.dispatch(a_signal("w", "n", number))

            async def over():
                return [run.result for run in await core.list() if run.result is not None]

            assert await until(over) == [list(range(10))]

    async def test_signal_or_start_left_over_starts_a_new_run(self, cores):
        """It came while the run was about to end: as if it had come a moment later."""
        calls = Calls()

        async def deaf(ctx, input):
            await ctx.activity("note", input)
            await ctx.wait_signal("end")
            return

        async with cores({"deaf": deaf}, {"note": calls.note}) as core:
            await core.dispatch(a_signal_or_start("w", "deaf", "news", input="first"))
            await core.dispatch(a_signal_or_start("w", "deaf", "news", input="second"))
            await core.dispatch(a_signal("w", "end"))

            async def second_run():
                return len(await core.list()) == 2 and len(calls.made) == 2

            await until(second_run)
            await core.dispatch(a_signal("w", "end"))
            await until(lambda: _all_ended(core))
            assert len(await core.list()) == 2  # a signal starts one run at most
        assert calls.made == ["first", "second"]

    async def test_plain_signal_left_over_is_dropped_and_the_history_says_so(self, cores):
        """The workflow decided not to wait for it."""

        async def deaf(ctx, input):
            await ctx.wait_signal("end")
            return

        async with cores({"deaf": deaf}) as core:
            await core.dispatch(a_start("w", "deaf"))
            await core.dispatch(a_signal("w", "news", 5))
            await core.dispatch(a_signal("w", "end"))
            await ended(core, "w")
            events = [event for event in await core.history("w") if event.kind == "SignalDropped"]
            assert [event.attributes for event in events] == [{"name": "news", "payload": 5}]
            await core.replay("w")

    async def test_no_signal_is_lost_at_completion(self, cores):
        """Many senders, a workflow that drains its inbox and ends: every signal is consumed by one run or another, once."""
        import asyncio

        async with cores({"drain": drain}) as core:
            sent = range(120)
            await asyncio.gather(*(core.dispatch(a_signal_or_start(f"w{n % 3}", "drain", "n", n)) for n in sent))
            await until(lambda: _all_ended(core))
            runs = await core.list(limit=1000)
            got = [payload for run in runs for payload in run.result]
            assert sorted(got) == list(sent)
            for run in runs:
                await core.replay(run.workflow_id, run.run_id)

    async def test_consumed_signals_are_in_the_history(self, cores):
        """Else a replay would wait for them once more."""
        async with cores({"collect": collect}) as core:
            await core.dispatch(a_start("w", "collect", 1))
            await core.dispatch(a_signal("w", "go", {"a": 1}))
            await ended(core, "w")
            assert await kinds(core, "w") == ["WorkflowStarted", "SignalAwaited", "SignalConsumed", "WorkflowCompleted"]


async def _all_ended(core):
    runs = await core.list(limit=1000)
    return bool(runs) and all(run.status.ended for run in runs)
