"""What the torture runs: workflows that mix everything, and the model that says what each has to come to.

Every workflow's result is computed here a second time without any engine, from its input alone. Effects are lines in a
file that outlives every process, so that what was executed again can be counted.
"""

from __future__ import annotations

import asyncio
import os
import random
from dataclasses import dataclass

from gateway.durable import ActivityFailed
from providers.errors import PermanentError, TemporaryError
from tests.contract.durable.builders import a_signal, a_signal_or_start, a_start, quick

SOON = quick(0.02, 0.05, 0.1, repeat_last_for=3600)


async def chain(ctx, input):
    """Activities one after another, timers between."""
    total = 0
    for step in range(input["steps"]):
        total = await ctx.activity("add", ctx.workflow_id, step, total, schedule=SOON)
        if step % 2:
            await ctx.sleep(0.02 * step)
    return total


async def flaky(ctx, input):
    """Fails a few times, then not; and once for good, which is caught."""
    value = await ctx.activity("flaky", ctx.workflow_id, input["failures"], schedule=SOON)
    try:
        await ctx.activity("refuse", ctx.workflow_id, schedule=SOON)
    except ActivityFailed as problem:
        return [value, problem.kind]


async def collect(ctx, input):
    """Signals, in order."""
    got = []
    while len(got) < input["count"]:
        signal = await ctx.wait_signal(timeout=3600)
        got.append(signal.payload)
        if len(got) % 3 == 0:
            await ctx.activity("add", ctx.workflow_id, len(got), 0, schedule=SOON)
    return got


async def fan(ctx, input):
    """Branches of different lengths, one of which waits for a signal."""

    async def branch(place):
        if place == 0:
            return (await ctx.wait_signal("go")).payload
        await ctx.sleep(0.03 * place)
        return await ctx.activity("add", ctx.workflow_id, place, place, schedule=SOON)

    return await ctx.gather(*(branch(place) for place in range(input["width"])))


async def relay(ctx, input):
    """Fresh histories, signals taken along."""
    got = [*input["got"]]
    for _ in range(2):
        if len(got) < input["count"]:
            got.append((await ctx.wait_signal("n")).payload)
    if len(got) < input["count"]:
        ctx.continue_as_new({**input, "got": got})
    return got


async def drain(ctx, input):
    """Ends whenever nothing is left: whatever comes then has to start it again."""
    got = []
    while (signal := await ctx.wait_signal(timeout=0)) is not None:
        got.append(signal.payload)
        await ctx.activity("add", ctx.workflow_id, signal.payload, 0, schedule=SOON)
    return got


WORKFLOWS = {"chain": chain, "flaky": flaky, "collect": collect, "fan": fan, "relay": relay, "drain": drain}


class Effects:
    """Activities; each execution is one line."""

    def __init__(self, path):
        self.path = path

    def activities(self):
        return {"add": self.add, "flaky": self.flaky, "refuse": self.refuse}

    async def add(self, workflow_id, step, value):
        self._note(f"add {workflow_id} {step}")
        await asyncio.sleep(0.02)  # long enough to be struck in the middle
        return value + step

    async def flaky(self, workflow_id, failures):
        self._note(f"flaky {workflow_id}")
        if self.count(f"flaky {workflow_id}") <= failures:
            raise TemporaryError("not yet")
        return "at last"

    async def refuse(self, workflow_id):
        self._note(f"refuse {workflow_id}")
        raise PermanentError("no")

    def _note(self, line):
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            os.write(descriptor, f"{line}\n".encode())
        finally:
            os.close(descriptor)

    def lines(self):
        return self.path.read_text().splitlines() if self.path.exists() else []

    def count(self, line):
        return self.lines().count(line)


@dataclass
class Case:
    """One workflow: what is dispatched for it, in order; what its last run comes to (None: its runs together consume every
    signal in order); and how often each effect happens at least."""

    workflow_id: str
    dispatches: list
    expected: object
    effects: dict


def a_case(number, dice: random.Random):
    """Of a random kind."""
    make = dice.choice([_chain, _flaky, _collect, _fan, _relay, _drain])
    return make(number, dice)


def _chain(number, dice):
    id, steps = f"chain-{number}", dice.randint(1, 6)
    effects = {f"add {id} {step}": 1 for step in range(steps)}
    return Case(id, [a_start(id, "chain", {"steps": steps})], sum(range(steps)), effects)


def _flaky(number, dice):
    id, failures = f"flaky-{number}", dice.randint(0, 3)
    effects = {f"flaky {id}": failures + 1, f"refuse {id}": 1}
    return Case(id, [a_start(id, "flaky", {"failures": failures})], ["at last", "PermanentError"], effects)


def _collect(number, dice):
    id, count = f"collect-{number}", dice.randint(1, 9)
    said = [a_signal(id, dice.choice("abc"), place) for place in range(count)]
    effects = {f"add {id} {place}": 1 for place in range(3, count + 1, 3)}
    return Case(id, [a_start(id, "collect", {"count": count}), *said], list(range(count)), effects)


def _fan(number, dice):
    id, width = f"fan-{number}", dice.randint(1, 5)
    effects = {f"add {id} {place}": 1 for place in range(1, width)}
    start = a_start(id, "fan", {"width": width})
    return Case(id, [start, a_signal(id, "go", "gone")], ["gone", *(2 * place for place in range(1, width))], effects)


def _relay(number, dice):
    id, count = f"relay-{number}", dice.randint(2, 9)
    said = [a_signal(id, "n", place) for place in range(count)]
    return Case(id, [a_start(id, "relay", {"count": count, "got": []}), *said], list(range(count)), {})


def _drain(number, dice):
    id, count = f"drain-{number}", dice.randint(1, 6)
    effects = {f"add {id} {place}": 1 for place in range(count)}
    return Case(id, [a_signal_or_start(id, "drain", "n", place) for place in range(count)], None, effects)
