"""The fold: a history over its workflow comes to the same again, and says where history and code part."""

from __future__ import annotations

import dataclasses
import gc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.durable import NonDeterministic, PayloadTooLarge
from gateway.durable.execution import Completed, Continued, Execution, Failed
from tests.unit.durable.histories import NOON, kinds, play, started

ACTIVITIES = {"add": lambda left, right: left + right, "echo": lambda value: value}


async def original(ctx, input):
    total = await ctx.activity("add", 1, 2)
    await ctx.sleep(5)
    signal = await ctx.wait_signal("go", timeout=60)
    branches = await ctx.gather(ctx.activity("echo", "a"), ctx.activity("echo", "b"))
    return [total, signal.payload if signal else None, branches]


def history(workflow=original, **options):
    """A whole one."""
    return play(workflow, ACTIVITIES, **{"signals": [("go", 9)], **options}).events


def test_history_comes_to_the_same_again():
    """Result, pending commands and events."""
    execution = Execution(original, history())
    assert execution.ending == Completed(result=[3, 9, ["a", "b"]])
    assert execution.uncommitted == []


@pytest.mark.parametrize("length", range(1, len(history()) + 1))
def test_every_beginning_of_a_history_can_be_gone_on_with(length):
    """Wherever a process died, the rest comes to the same."""
    events = history()[:length]
    inbox = [("go", 9)] if "SignalConsumed" not in [event.kind for event in events] else []
    went_on = play(original, ACTIVITIES, events=events, signals=inbox)
    assert went_on.ending == Completed(result=[3, 9, ["a", "b"]])


async def other_activity(ctx, input):
    await ctx.activity("subtract", 1, 2)


async def other_arguments(ctx, input):
    await ctx.activity("add", 1, 3)


async def other_kind(ctx, input):
    await ctx.sleep(1)


async def one_step_less(ctx, input):
    await ctx.activity("add", 1, 2)
    await ctx.wait_signal("go", timeout=60)


async def nothing_at_all(ctx, input):
    return None


async def other_signal(ctx, input):
    await ctx.activity("add", 1, 2)
    await ctx.sleep(5)
    await ctx.wait_signal("stop", timeout=60)


async def one_branch_more(ctx, input):
    await ctx.activity("add", 1, 2)
    await ctx.sleep(5)
    await ctx.wait_signal("go", timeout=60)
    await ctx.gather(ctx.activity("echo", "a"), ctx.activity("echo", "b"), ctx.activity("echo", "c"))


async def other_result(ctx, input):
    await original(ctx, input)
    return "other"


async def one_step_more(ctx, input):
    result = await original(ctx, input)
    await ctx.activity("echo", "more")
    return result


DIFFERENCES = {
    "another activity": (other_activity, 'event 2: ActivityScheduled {"command":"1","activity":"add"', '"activity":"subtract"'),
    "other arguments": (other_arguments, '"arguments":[1,2]', '"arguments":[1,3]'),
    "another kind": (other_kind, "event 2: ActivityScheduled", 'command 1: TimerStarted {"seconds":1.0}'),
    "one step less": (one_step_less, "event 4: TimerStarted", "command 2: SignalAwaited"),
    "nothing at all": (nothing_at_all, "event 2: ActivityScheduled", 'WorkflowCompleted {"result":null}'),
    "another signal": (other_signal, '"names":["go"]', '"names":["stop"]'),
    "one branch more": (one_branch_more, '"branches":2', '"branches":3'),
    "another result": (other_result, 'WorkflowCompleted {"result":[3,9,["a","b"]]}', 'WorkflowCompleted {"result":"other"}'),
    "one step more": (
        one_step_more,
        "event 13: WorkflowCompleted",
        'command 5: ActivityScheduled {"activity":"echo","arguments":["more"]}',
    ),
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_difference_is_reported_with_both_sides(name):
    """What history has, and what today's code asks for instead."""
    workflow, in_history, in_code = DIFFERENCES[name]
    with pytest.raises(NonDeterministic) as problem:
        Execution(workflow, history())
    past, present = str(problem.value).split("; code: ")
    assert past.startswith("history: ")
    assert in_history in past
    assert in_code in present


def test_how_an_activity_is_run_may_change():
    """A schedule or a timeout is no difference."""
    from gateway.durable import PATIENT

    async def before(ctx, input):
        return await ctx.activity("echo", 1)

    async def after(ctx, input):
        return await ctx.activity("echo", 1, schedule=PATIENT, timeout=5)

    assert Execution(after, history(before)).ending == Completed(result=1)


def test_event_of_newer_code_is_refused_by_name():
    """A process that does not understand a history must not go on with it."""
    odd = dataclasses.replace(history()[1], kind="ActivityDelegated")
    with pytest.raises(NonDeterministic, match="'ActivityDelegated', which this code does not know"):
        Execution(original, [history()[0], odd])


@pytest.mark.parametrize("dropped", [1, 2, 4, 6, 7])
def test_hand_edited_history_is_refused(dropped):
    """An event taken out, whichever: nothing is guessed."""
    events = history()
    with pytest.raises(NonDeterministic):
        Execution(original, events[:dropped] + events[dropped + 1 :])


def test_empty_history_is_refused():
    """There is nothing to fold."""
    with pytest.raises(NonDeterministic, match="expected WorkflowStarted first, found nothing"):
        Execution(original, [])


def test_time_in_a_history_does_not_run_backwards():
    """Also when the clock it is given does."""
    from datetime import timedelta

    execution = Execution(original, [started()])
    execution.settle(NOON - timedelta(hours=1))
    assert [event.at for event in execution.events] == [NOON, NOON]


def test_arguments_that_are_not_json_fail_the_workflow_alone():
    """They are refused before anything is written."""

    async def odd(ctx, input):
        await ctx.activity("echo", {1, 2})

    execution = play(odd)
    assert execution.ending == Failed(
        kind="PayloadTooLarge",
        message="arguments of activity 'echo': expected a JSON value, found one that is not: Object of type set is not JSON serializable",
        commands=(),
    )


@pytest.mark.parametrize("where", ["arguments", "input", "result"])
def test_payload_of_five_megabytes_is_refused(where):
    """Histories hold digests of blobs, not blobs."""
    big = "x" * 5_000_000

    async def heavy(ctx, input):
        match where:
            case "arguments":
                await ctx.activity("echo", big)
            case "input":
                ctx.continue_as_new(big)
            case "result":
                return big
        return None

    execution = play(heavy)
    assert isinstance(execution.ending, Failed)
    assert execution.ending.kind == PayloadTooLarge.__name__
    assert "pass the digest of a blob" in execution.ending.message


def test_broad_except_does_not_swallow_continue_as_new():
    """It is not an Exception."""

    async def broad(ctx, input):
        try:
            ctx.continue_as_new(5)
        except Exception:
            return "swallowed"

    assert play(broad).ending == Continued(input=5)


def test_mutated_result_does_not_change_the_history():
    """What is recorded is what was given."""

    async def rude(ctx, input):
        value = await ctx.activity("echo", [1])
        value.append(2)
        again = await ctx.activity("echo", value)
        return [value, again]

    events = history(rude)
    assert Execution(rude, events).ending == Completed(result=[[1, 2], [1, 2]])
    assert events[2].attributes["result"] == [1]


def test_letting_go_of_a_run_leaves_nothing_behind():
    """Branches that never began, and a workflow that awaits on its way out, make no noise."""

    async def stubborn(ctx, input):
        try:
            await ctx.gather(ctx.sleep(1), ctx.sleep(1))
        finally:
            await ctx.sleep(1)

    execution = Execution(stubborn, [started()])
    execution.settle(NOON)
    execution.close()
    del execution
    gc.collect()


def test_ten_thousand_events_are_folded():
    """Recovery of a long history: every event is looked at once (the bench says how fast)."""

    async def long(ctx, input):
        for number in range(5000):
            await ctx.activity("echo", number)
        return "done"

    events = play(long, ACTIVITIES, limit=20_000).events
    assert len(events) == 10_002
    assert Execution(long, events).ending == Completed(result="done")


# --- any program -------------------------------------------------------------------------

steps = st.deferred(
    lambda: st.one_of(
        st.tuples(st.just("activity"), st.integers(0, 9)),
        st.tuples(st.just("fail"), st.integers(0, 9)),
        st.tuples(st.just("sleep"), st.integers(0, 3)),
        st.tuples(st.just("signal"), st.sampled_from(["a", "b", ""])),
        st.tuples(st.just("version"), st.sampled_from(["m", "n"])),
        st.tuples(st.just("uuid"), st.just(0)),
        st.tuples(st.just("gather"), st.lists(st.lists(steps, max_size=3), max_size=3)),
    )
)


async def interpret(ctx, program):
    """Run a program of steps; what each came to."""
    out = []
    for what, detail in program:
        match what:
            case "activity":
                out.append(await ctx.activity("add", detail, 1))
            case "fail":
                try:
                    await ctx.activity("refuse", detail)
                except Exception as problem:
                    out.append(str(problem))
            case "sleep":
                await ctx.sleep(detail)
            case "signal":
                signal = await ctx.wait_signal(*([detail] if detail else []), timeout=1)
                out.append(None if signal is None else [signal.name, signal.payload])
            case "version":
                out.append(ctx.version(detail, 2))
            case "uuid":
                out.append(str(ctx.uuid()))
            case "gather":
                out.append(await ctx.gather(*(interpret(ctx, branch) for branch in detail)))
    return out


def refuse(value):
    raise ValueError(f"no {value}")


@given(
    program=st.lists(steps, max_size=6), signals=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 9)), max_size=5), data=st.data()
)
def test_any_program_replays_and_goes_on_from_any_point(program, signals, data):
    """Whatever a workflow does, its history comes to the same again, and so does any beginning of it gone on with."""
    table = {**ACTIVITIES, "refuse": refuse}
    whole = play(interpret, table, signals=signals, input=program)
    assert isinstance(whole.ending, Completed)
    assert Execution(interpret, whole.events).ending == whole.ending

    cut = data.draw(st.integers(1, len(whole.events)))
    beginning = whole.events[:cut]
    consumed = [[e.attributes["name"], e.attributes["payload"]] for e in beginning if e.kind == "SignalConsumed"]
    left = [list(signal) for signal in signals]
    for signal in consumed:
        left.remove(signal)
    went_on = play(interpret, table, events=beginning, signals=[tuple(signal) for signal in left])
    assert isinstance(went_on.ending, Completed)
    assert Execution(interpret, went_on.events).ending == went_on.ending
    assert kinds(went_on)[:cut] == kinds(whole)[:cut]
