"""Quarantine, doing once, slots, frames: the small parts that keep the engines in order."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import policies.engines.worker
from policies.engines.fair_slots import FairSlots
from policies.engines.frames import frame, frames, in_pieces, pieces
from policies.engines.once import Once
from policies.engines.quarantine import Quarantine
from policies.errors import BundleQuarantined, EngineBusy


def test_a_bundle_is_quarantined_after_its_last_chance_and_released_in_time():
    """So many deaths within the window; as they age, it may be tried again."""
    now = 0
    quarantine = Quarantine(after=3, window=100.0, clock=lambda: now)
    quarantine.strike("d")
    now = 10
    quarantine.strike("d")
    quarantine.check("d", "acme")
    now = 20
    quarantine.strike("d")
    with pytest.raises(BundleQuarantined, match="'acme'"):
        quarantine.check("d", "acme")
    quarantine.check("another", "other")
    now = 101
    quarantine.check("d", "acme")


def test_deaths_far_apart_do_not_add_up():
    """Three in a year are not three in an hour."""
    now = 0
    quarantine = Quarantine(after=3, window=100.0, clock=lambda: now)
    for moment in (0, 90, 180, 270):
        now = moment
        quarantine.strike("d")
        quarantine.check("d", "acme")


def test_many_who_ask_at_once_share_one_doing():
    """And its result; who comes later has it at once."""
    done = []

    async def scene():
        once = Once()

        async def action():
            await asyncio.sleep(0)
            done.append(1)
            return len(done)

        return await asyncio.gather(*(once.do("d", action) for _ in range(5))), await once.do("d", action)

    assert asyncio.run(scene()) == ([1] * 5, 1)


def test_a_failure_is_told_to_all_and_tried_again():
    """Nothing is remembered of it."""
    tries = []

    async def scene():
        once = Once()

        async def action():
            tries.append(1)
            await asyncio.sleep(0)
            if len(tries) == 1:
                raise OSError("no")
            return "yes"

        first = await asyncio.gather(once.do("d", action), once.do("d", action), return_exceptions=True)
        return first, await once.do("d", action)

    first, second = asyncio.run(scene())
    assert [type(each) for each in first] == [OSError, OSError]
    assert second == "yes"


def test_one_who_gives_up_does_not_stop_it_for_the_others():
    """The doing belongs to nobody."""

    async def scene():
        once, go = Once(), asyncio.Event()

        async def action():
            await go.wait()
            return "done"

        impatient = asyncio.ensure_future(once.do("d", action))
        patient = asyncio.ensure_future(once.do("d", action))
        await asyncio.sleep(0)
        impatient.cancel()
        await asyncio.sleep(0)
        go.set()
        return await patient

    assert asyncio.run(scene()) == "done"


def test_slots_are_never_overbooked_nor_lost():
    """Whoever gives up, in whatever state, gives the slot back."""

    async def scene():
        slots = FairSlots(slots=2, queue_limit=100, patience=60.0)
        inside = most = 0

        async def work(number):
            nonlocal inside, most
            async with slots.slot(str(number % 3)):
                inside += 1
                most = max(most, inside)
                try:
                    await asyncio.sleep(0.001)
                finally:
                    inside -= 1

        tasks = [asyncio.ensure_future(work(number)) for number in range(40)]
        await asyncio.sleep(0.002)
        for task in tasks[::4]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        async with slots.slot("a"), slots.slot("b"):
            return most

    assert asyncio.run(scene()) == 2


def test_slots_push_back_when_the_queue_is_full():
    """With a time to come back."""

    async def scene():
        slots = FairSlots(slots=1, queue_limit=1, patience=60.0)

        async def hold():
            async with slots.slot("a"):
                await asyncio.sleep(0.05)

        results = await asyncio.gather(*(hold() for _ in range(4)), return_exceptions=True)
        return [each for each in results if each is not None]

    refused = asyncio.run(scene())
    assert [type(each) for each in refused] == [EngineBusy] * 2
    assert all(each.retry_after >= 1.0 for each in refused)


@given(st.lists(st.binary(max_size=60)), st.binary(max_size=9))
def test_texts_arrive_whole_in_pieces(texts, before):
    """Whatever they hold, behind whatever stands before them."""
    assert pieces(before + in_pieces(*texts), len(before)) == texts


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2**64 - 1), st.binary(max_size=60))), st.integers(1, 50))
def test_frames_arrive_whole_however_they_are_cut(sent, piece):
    """Kind, job and body, in order, whatever the sizes of the reads."""
    wire = b"".join(frame(*each) for each in sent)
    buffer, received = bytearray(), []
    for start in range(0, len(wire), piece):
        buffer += wire[start : start + piece]
        received += list(frames(buffer))
    assert received == sent
    assert not buffer


def test_the_worker_imports_only_what_it_cannot_do_without():
    """A command waits for its start: nothing of the package's dependencies may slow it down, nor the library's larger modules."""
    folder = str(Path(policies.engines.worker.__file__).parent)
    command = [sys.executable, "-I", "-S", "-X", "importtime", "-c", f"import sys; sys.path.append({folder!r}); import worker"]
    said = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/").stderr
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in said.splitlines() if line.startswith("import time:")}
    assert "ctypes" in imported
    assert imported - sys.stdlib_module_names - {"imported package", "site"} == {"frames", "worker"}
    assert not imported & {"collections", "enum", "inspect", "json", "pathlib", "re", "socket", "threading", "typing"}
