"""The torture itself: worker processes that are killed and frozen while they work, against a model of what has to come out.

Every 0.2 to 0.6 s one of them gets SIGKILL, or SIGSTOP for longer than its lease, so that it wakes as a zombie. In the
end every workflow must have come to what the model says, replay to the same, signals in order, nothing lost.
"""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from gateway.durable.sql import SqlDurableCore
from gateway.errors import DatabaseUnavailable
from gateway.storage import Database
from tests.contract.durable.torture_program import WORKFLOWS, Effects, a_case
from tests.contract.durable.torture_worker import LEASE
from tests.torture.outcome import Outcome

ROOT = Path(__file__).parents[3]
WORKERS = 3
END_LIMIT = 600.0
"""Seconds for the rest of the work once nobody is tortured any more; generous, it does not decide anything else."""


@dataclass
class Summary:
    """What happened, to be printed."""

    seed: int
    cases: int = 0
    dispatches: int = 0
    kills: int = 0
    freezes: int = 0
    outages: int = 0
    replays: int = 0
    executed_again: int = 0
    problems: list[str] = field(default_factory=list)

    def outcome(self):
        """As told to people. A torture that hurt nobody proves nothing."""
        counts = f"{self.cases} workflows by {self.dispatches} dispatches; {self.kills} kills, {self.freezes} stops past the lease"
        if self.outages:
            counts += f", {self.outages} restarts of the server"
        counts += f"; {self.replays} replays agreed; {self.executed_again} activities executed again"
        idle = [] if self.kills and self.cases else ["nobody was killed, or nothing was to do: not a torture at all"]
        return Outcome(seed=self.seed, summary=counts, problems=(*self.problems, *idle))


class Workers:
    """The processes; each is ended by its own id."""

    def __init__(self, url, effects):
        self.command = [sys.executable, "-m", "tests.contract.durable.torture_worker", url, str(effects)]
        self.running = [self._start() for _ in range(WORKERS)]
        self.frozen = {}

    def _start(self):
        return subprocess.Popen(self.command, cwd=ROOT, stdin=subprocess.DEVNULL)

    def hurt(self, dice, summary):
        """Kill one or freeze one."""
        victim = dice.choice(self.running)
        if dice.random() < 0.6:
            self.frozen.pop(victim.pid, None)
            victim.kill()
            victim.wait()
            self.running[self.running.index(victim)] = self._start()
            summary.kills += 1
        elif victim.pid not in self.frozen:
            victim.send_signal(signal.SIGSTOP)
            self.frozen[victim.pid] = (victim, time.monotonic() + LEASE * 1.6)
            summary.freezes += 1

    def thaw(self):
        """Wake those who have been frozen for longer than their lease."""
        for pid, (victim, until) in list(self.frozen.items()):
            if time.monotonic() > until:
                victim.send_signal(signal.SIGCONT)
                del self.frozen[pid]

    def end(self):
        for process in self.running:
            with suppress(ProcessLookupError):
                process.kill()
            process.wait()


async def torture(url, effects_path, *, seed, seconds, outage=None):
    """Torture for so many seconds; what happened. `outage`: takes the database away and brings it back, called now and then."""
    dice, summary = random.Random(seed), Summary(seed=seed)
    effects, database = Effects(effects_path), Database(url)
    core = SqlDurableCore(database=database, workflows=WORKFLOWS, activities={}, poll=0.2)
    workers = await asyncio.to_thread(Workers, url, effects_path)
    cases = []
    thawing = asyncio.create_task(_thaw(workers))  # beside everything: a frozen process may hold the lock we wait for
    try:
        await _torment(core, workers, dice, summary, cases, time.monotonic() + seconds, outage)
        await _rest(core, cases, summary)
        await _examine(core, cases, effects, summary)
    finally:
        thawing.cancel()
        await asyncio.to_thread(workers.end)
        await database.close()
    return summary


async def _torment(core, workers, dice, summary, cases, deadline, outage):
    next_outage = time.monotonic() + dice.uniform(3, 6)
    while time.monotonic() < deadline:
        for _ in range(dice.randint(2, 12)):
            case = a_case(len(cases), dice)
            cases.append(case)
            for dispatch in case.dispatches:
                await _said(core, dispatch)
                summary.dispatches += 1
        if outage is not None and time.monotonic() > next_outage:
            await asyncio.to_thread(outage, dice)
            summary.outages += 1
            next_outage = time.monotonic() + dice.uniform(4, 8)
        await asyncio.to_thread(workers.hurt, dice, summary)
        await asyncio.sleep(dice.uniform(0.2, 0.6))
    summary.cases = len(cases)


async def _thaw(workers):
    while True:
        workers.thaw()
        await asyncio.sleep(0.1)


async def _said(core, dispatch):
    """Until it is acknowledged: the id makes it happen once."""
    while True:
        try:
            await core.dispatch(dispatch)
            return
        except DatabaseUnavailable:
            await asyncio.sleep(0.1)


async def _rest(core, cases, summary):
    deadline = time.monotonic() + END_LIMIT
    while time.monotonic() < deadline:
        with suppress(DatabaseUnavailable):
            state = await core.queue()
            if not state.waiting and not state.running and not state.parked:
                return
        await asyncio.sleep(0.2)
    summary.problems.append(f"not everything ended within {END_LIMIT:g} s: {await core.queue()}")


async def _examine(core, cases, effects, summary):
    runs = {}
    for run in reversed(await core.list(limit=100_000)):
        runs.setdefault(run.workflow_id, []).append(run)
    for case in cases:
        try:
            await _examine_case(core, case, runs.get(case.workflow_id, []))
            summary.replays += len(runs[case.workflow_id])
        except AssertionError as problem:
            summary.problems.append(await _told(core, case, runs.get(case.workflow_id, []), problem))
    counted, least = Counter(effects.lines()), Counter()
    for case in cases:
        least.update(case.effects)
    summary.executed_again = (counted - least).total()
    summary.problems += [f"{effect}: expected {least[effect]} times at least, found {counted[effect]}" for effect in least - counted]


async def _examine_case(core, case, runs):
    assert runs, "no run at all"
    for run in runs:
        assert run.status == "completed", f"run {run.run_id} is {run.status}: {run.error}"
        await core.replay(case.workflow_id, run.run_id)
    if case.expected is None:
        got = [payload for run in runs for payload in run.result]
        assert got == list(range(len(case.dispatches))), f"signals came as {got}"
    else:
        assert runs[-1].result == case.expected, f"expected {case.expected}, found {runs[-1].result}"


async def _told(core, case, runs, problem):
    lines = [f"{case.workflow_id}: {problem}"]
    for run in runs:
        lines.append(f"  run {run.run_id} {run.status}")
        lines += [
            f"    {event.sequence} {event.at.time()} {event.kind} {dict(event.attributes)}"
            for event in await core.history(run.workflow_id, run.run_id)
        ]
    return "\n".join(lines)
