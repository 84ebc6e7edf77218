"""What the exam's workflows are made of; say only what the test is about."""

from __future__ import annotations

import asyncio
import itertools

from gateway.domain.dispatch import Dispatch
from gateway.durable import RetrySchedule

PATIENCE = 240.0
"""Seconds a test waits for what has to come; never how long it takes."""

_ids = itertools.count(1)


def a_start(workflow_id, type, input=None, **rest):
    """Start this workflow."""
    return Dispatch(id=f"d{next(_ids)}", workflow_id=workflow_id, workflow_type=type, input=input, **rest)


def a_signal(workflow_id, name, payload=None, **rest):
    """Signal what runs."""
    return Dispatch(id=f"d{next(_ids)}", workflow_id=workflow_id, workflow_type=None, signal=name, payload=payload, **rest)


def a_signal_or_start(workflow_id, type, name, payload=None, input=None, **rest):
    """Signal it, and start it if it does not run."""
    return Dispatch(id=f"d{next(_ids)}", workflow_id=workflow_id, workflow_type=type, signal=name, payload=payload, input=input, **rest)


def quick(*delays, **rest):
    """A schedule without jitter, that leaves nobody alone for longer than it says."""
    return RetrySchedule(name="quick", delays=delays, jitter=0.0, **{"retry_after_limit": 0.0, **rest})


async def until(question, *, patience=PATIENCE):
    """Ask until the answer is true; it. Fails the test when that never happens."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    while not (answer := await question()):
        assert loop.time() < deadline, "what was waited for never came"
        await asyncio.sleep(0.02)
    return answer


async def ended(core, workflow_id):
    """The newest run, which has ended."""
    run = await core.result(workflow_id, timeout=PATIENCE)
    assert run.status.ended, f"{workflow_id} is still {run.status}"
    return run


async def result_of(core, workflow_id):
    """The result of the newest run, which has completed, and replays."""
    run = await ended(core, workflow_id)
    assert run.status == "completed", run.error
    await core.replay(workflow_id)
    return run.result


async def kinds(core, workflow_id, run_id=None):
    """The history's kinds."""
    return [event.kind for event in await core.history(workflow_id, run_id)]


async def times(core, workflow_id, kind):
    """How often this kind is in the history."""
    return (await kinds(core, workflow_id)).count(kind)


class Calls:
    """Activities that count how often they were called, with what."""

    def __init__(self):
        self.made = []

    async def note(self, value):
        self.made.append(value)
        return value

    def failing(self, times, error):
        """An activity that raises so many times, then returns how often it was called."""

        async def activity(*args):
            self.made.append(list(args))
            if len(self.made) <= times:
                raise error
            return len(self.made)

        return activity
