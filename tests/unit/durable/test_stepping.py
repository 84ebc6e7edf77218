"""What a run does next, from its inbox and the time alone."""

from __future__ import annotations

from datetime import timedelta

from gateway.durable.execution import Cancelled, Execution
from gateway.durable.stepping import Received, due_activities, step, wake_at
from tests.unit.durable.histories import NOON, kinds, started


def an_execution(workflow):
    execution = Execution(workflow, [started()])
    execution.settle(NOON)
    return execution


def an_order(name, **details):
    return Received(ord=1, name=name, payload={"by": "ana", **details}, control=True)


async def two_waits(ctx, input):
    async def wait(name, timeout):
        signal = await ctx.wait_signal(name, timeout=timeout)
        return signal.payload if signal else None

    return await ctx.gather(wait("a", 10), wait("b", 5))


def test_signal_goes_before_the_timeout_of_the_same_moment():
    """What has arrived is not given up."""
    execution = an_execution(two_waits)
    used = step(execution, [Received(ord=1, name="b", payload=1)], NOON + timedelta(seconds=20))
    assert [entry.ord for entry in used] == [1]
    assert kinds(execution)[-3:] == ["SignalConsumed", "WaitTimedOut", "WorkflowCompleted"]
    assert execution.ending.result == [None, 1]


def test_what_is_due_first_fires_first():
    """In the order of time, not of asking."""
    execution = an_execution(two_waits)
    step(execution, [], NOON + timedelta(seconds=20))
    fired = [event.attributes["command"] for event in execution.events if event.kind == "WaitTimedOut"]
    assert fired == ["1/1/1", "1/0/1"]


def test_run_wakes_for_the_earliest():
    """Of everything it waits for."""
    assert wake_at(an_execution(two_waits)) == NOON + timedelta(seconds=5)


async def one_activity(ctx, input):
    return await ctx.activity("work")


def failed_once(execution, *, next_in):
    at = NOON + timedelta(seconds=1)
    next_at = (at + timedelta(seconds=next_in)).isoformat()
    what = {"command": "1", "activity": "work", "kind": "E", "message": "m", "attempt": 1, "retry_after": None}
    execution.record("AttemptFailed", {**what, "next_at": next_at}, at)
    return at


def test_attempt_under_way_is_not_due_again():
    """Nor does the run wake for it."""
    execution = an_execution(one_activity)
    assert due_activities(execution, NOON + timedelta(days=1)) == []
    assert wake_at(execution) is None


def test_retry_now_makes_the_next_attempt_due():
    """And is no signal: nothing a workflow waits for sees it."""
    execution = an_execution(one_activity)
    at = failed_once(execution, next_in=3600)
    assert due_activities(execution, at) == []
    assert len(step(execution, [an_order("retry")], at)) == 1
    assert [pending.id for pending in due_activities(execution, at)] == ["1"]


def test_retry_now_does_nothing_to_an_attempt_under_way():
    """There is nothing to hurry; the order is used up all the same."""
    execution = an_execution(one_activity)
    assert len(step(execution, [an_order("retry")], NOON)) == 1
    assert "RetryRequested" not in kinds(execution)


def test_cancel_ends_whatever_it_waits_for_and_uses_up_the_other_orders():
    """No order is left over for a run that is no more."""
    execution = an_execution(one_activity)
    assert len(step(execution, [an_order("cancel"), an_order("retry")], NOON)) == 2
    assert execution.ending == Cancelled(by="ana")
    assert kinds(execution)[-2:] == ["CancelRequested", "WorkflowCancelled"]
