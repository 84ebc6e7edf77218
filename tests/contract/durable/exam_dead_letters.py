"""What is promised of dead letters: what, why, every attempt; revived from the failed step; put away."""

from __future__ import annotations

import pytest

from gateway.durable import ActivityFailed, NotDead, UnknownWorkflow
from providers.errors import PermanentError, TemporaryError
from tests.contract.durable.builders import Calls, a_signal, a_signal_or_start, a_start, ended, quick, result_of, times, until


def broken_until_mended(calls):
    """An activity, and the switch that mends it."""
    state = {"broken": True}

    async def work(*args):
        calls.made.append(["work", *args])
        if state["broken"]:
            raise TemporaryError("down")
        return "done"

    return work, lambda: state.update(broken=False)


class DeadLettersExam:
    async def test_letter_says_what_why_and_every_attempt(self, cores):
        """With times and errors, in order."""
        work, _ = broken_until_mended(Calls())

        async def workflow(ctx, input):
            await ctx.activity("work", input, 2, schedule=quick(0.01, 0.01))

        async with cores({"w": workflow}, {"work": work}) as core:
            await core.dispatch(a_start("w", "w", {"a": 1}))
            run = await ended(core, "w")
            [letter] = await core.dead_letters()
            assert letter == await core.dead_letter("w") == await core.dead_letter("w", run.run_id)
            assert (letter.workflow_id, letter.run_id, letter.type) == ("w", run.run_id, "w")
            assert (letter.kind, letter.message) == ("ActivityFailed", "work: TemporaryError: down")
            assert (letter.activity, letter.arguments) == ("work", ({"a": 1}, 2))
            assert [(a.number, a.kind, a.message) for a in letter.attempts] == [(n, "TemporaryError", "down") for n in (1, 2, 3)]
            assert sorted(a.at for a in letter.attempts) == [a.at for a in letter.attempts]
            assert letter.failed_at == run.ended_at

    async def test_revived_run_goes_on_from_the_failed_step(self, cores):
        """Completed steps keep their results and are not done again; it is the same run."""
        calls = Calls()
        work, mend = broken_until_mended(calls)

        async def workflow(ctx, input):
            first = await ctx.activity("note", "first")
            second = await ctx.activity("work", schedule=quick(0.01))
            return [first, second, await ctx.activity("note", "third"), str(ctx.uuid())]

        async with cores({"w": workflow}, {"work": work, "note": calls.note}) as core:
            await core.dispatch(a_start("w", "w"))
            before = await ended(core, "w")
            mend()
            await core.revive("w", by="ana")
            result = await result_of(core, "w")
            assert result[:3] == ["first", "done", "third"]
            assert (await core.describe("w")).run_id == before.run_id
            assert calls.made == ["first", ["work"], ["work"], ["work"], "third"]
            [revival] = [event for event in await core.history("w") if event.kind == "Revived"]
            assert revival.attributes["by"] == "ana"
            assert await core.dead_letters() == []

    async def test_revived_run_that_fails_again_is_a_letter_again(self, cores):
        """With the attempts of both times; a schedule anew each time."""
        calls = Calls()
        work, mend = broken_until_mended(calls)

        async def workflow(ctx, input):
            return await ctx.activity("work", schedule=quick(0.01))

        async with cores({"w": workflow}, {"work": work}) as core:
            await core.dispatch(a_start("w", "w"))
            await ended(core, "w")
            await core.revive("w")
            await ended(core, "w")
            assert [attempt.number for attempt in (await core.dead_letter("w")).attempts] == [1, 2, 1, 2]
            mend()
            await core.revive("w")
            assert await result_of(core, "w") == "done"
        assert len(calls.made) == 5

    async def test_every_failed_branch_is_revived_and_the_others_keep_what_they_did(self, cores):
        """Two of three branches failed; what the workflow did about it is taken back."""
        calls = Calls()
        work, mend = broken_until_mended(calls)

        async def workflow(ctx, input):
            async def branch(place):
                if place == 1:
                    first = await ctx.activity("note", place)
                    return [first, await ctx.activity("note", place + 10)]
                return await ctx.activity("work", place, schedule=quick())

            try:
                return await ctx.gather(*(branch(place) for place in range(3)))
            except ActivityFailed:
                await ctx.activity("note", "sorry")
                raise

        async with cores({"w": workflow}, {"work": work, "note": calls.note}) as core:
            await core.dispatch(a_start("w", "w"))
            await ended(core, "w")
            mend()
            await core.revive("w")
            assert await result_of(core, "w") == ["done", [1, 11], "done"]
        assert [made for made in calls.made if isinstance(made, int)] == [1, 11]
        assert calls.made.count("sorry") == 1

    async def test_workflow_that_failed_by_itself_is_revived_with_mended_code(self, cores):
        """From where it raised, with what it had."""
        calls = Calls()

        async def wrong(ctx, input):
            value = await ctx.activity("note", 1)
            raise ValueError(f"bug after {value}")

        async def mended(ctx, input):
            value = await ctx.activity("note", 1)
            return [value, ctx.version("mended", 1), await ctx.activity("note", 2)]

        async with cores({"w": wrong}, {"note": calls.note}) as core:
            await core.dispatch(a_start("w", "w"))
            await ended(core, "w")
            letter = await core.dead_letter("w")
            assert (letter.kind, letter.activity, letter.attempts) == ("ValueError", None, ())
        async with cores({"w": mended}, {"note": calls.note}) as core:
            await core.revive("w")
            assert await result_of(core, "w") == [1, 1, 2]
        assert calls.made == [1, 2]

    async def test_signals_taken_back_are_consumed_again(self, cores):
        """Those consumed after the failed step, and those dropped at the end, are not lost."""
        calls = Calls()
        work, mend = broken_until_mended(calls)

        async def workflow(ctx, input):
            first = await ctx.wait_signal("a")
            try:
                await ctx.activity("work", schedule=quick())
            except ActivityFailed:
                await ctx.wait_signal("a")  # on the way out, what mending takes back
                raise
            second, third = await ctx.wait_signal("a"), await ctx.wait_signal("b")
            return [first.payload, second.payload, third.payload]

        async with cores({"w": workflow}, {"work": work}) as core:
            await core.dispatch(a_start("w", "w"))
            await core.dispatch(a_signal("w", "a", 1))
            await core.dispatch(a_signal("w", "b", 3))
            await core.dispatch(a_signal("w", "a", 2))
            await ended(core, "w")
            mend()
            await core.revive("w")
            assert await result_of(core, "w") == [1, 2, 3]

    async def test_only_the_dead_are_revived(self, cores):
        """Neither what is well, nor what has a successor, nor what nobody knows."""
        work, mend = broken_until_mended(Calls())

        async def workflow(ctx, input):
            return await ctx.activity("work", schedule=quick())

        async def long(ctx, input):
            await ctx.wait_signal("end")

        async with cores({"w": workflow, "long": long}, {"work": work}) as core:
            with pytest.raises(UnknownWorkflow):
                await core.revive("nobody")
            await core.dispatch(a_start("w", "w"))
            await ended(core, "w")
            await core.dispatch(a_start("w", "long"))
            with pytest.raises(NotDead, match="a newer run of workflow 'w' is going on"):
                await core.revive("w")
            await core.dispatch(a_signal("w", "end"))
            await ended(core, "w")
            mend()
            [letter] = await core.dead_letters()
            await core.revive("w", letter.run_id)

            async def revived():
                return (await core.describe("w", letter.run_id)).status == "completed"

            await until(revived)
            with pytest.raises(NotDead, match="is completed, not failed"):
                await core.revive("w", letter.run_id)

    async def test_discarded_letter_is_put_away(self, cores):
        """It counts as cancelled, and its history says who did it."""

        async def refuse():
            raise PermanentError("no")

        async def workflow(ctx, input):
            return await ctx.activity("refuse")

        async with cores({"w": workflow}, {"refuse": refuse}) as core:
            await core.dispatch(a_start("w", "w"))
            await ended(core, "w")
            await core.discard("w", by="ana")
            assert await core.dead_letters() == []
            assert (await core.describe("w")).status == "cancelled"
            assert await times(core, "w", "Discarded") == 1
            await core.replay("w")
            with pytest.raises(NotDead):
                await core.revive("w")

    async def test_signal_or_start_after_a_failure_starts_a_new_run(self, cores):
        """A dead letter does not stand in the way of news."""
        work, mend = broken_until_mended(Calls())

        async def workflow(ctx, input):
            await ctx.wait_signal("news")
            return await ctx.activity("work", schedule=quick())

        async with cores({"w": workflow}, {"work": work}) as core:
            await core.dispatch(a_signal_or_start("w", "w", "news"))
            await ended(core, "w")
            mend()
            await core.dispatch(a_signal_or_start("w", "w", "news"))
            assert await result_of(core, "w") == "done"
            assert len(await core.dead_letters()) == 1

    async def test_letters_are_newest_first_and_narrowed_as_asked(self, cores):
        """By type, up to a limit."""

        async def wrong(ctx, input):
            raise ValueError(input)

        async with cores({"w": wrong, "v": wrong}) as core:
            for number in range(4):
                await core.dispatch(a_start(f"w{number}", "w" if number % 2 else "v", number))
                await ended(core, f"w{number}")
            assert [letter.workflow_id for letter in await core.dead_letters()] == ["w3", "w2", "w1", "w0"]
            assert [letter.workflow_id for letter in await core.dead_letters(type="v")] == ["w2", "w0"]
            assert [letter.workflow_id for letter in await core.dead_letters(limit=1)] == ["w3"]
