"""The plain loop does with a coroutine what asyncio does with it."""

from __future__ import annotations

import asyncio
import socket

import pytest

from policies import loop

LOOPS = pytest.mark.parametrize("run", [asyncio.run, loop.run], ids=["asyncio", "plain"])


@LOOPS
def test_what_runs_together_takes_turns_and_is_answered_in_order(run):
    """None waits for the end of another; the first that fails is heard."""
    steps = []

    async def one(name, times):
        for number in range(times):
            steps.append(f"{name}{number}")
            await loop.turn()
        if name == "c":
            raise ValueError("c fails")
        return name

    async def whole():
        assert await loop.together(one("a", 2), one("b", 1)) == ["a", "b"]
        with pytest.raises(ValueError, match="c fails"):
            await loop.together(one("c", 1), one("d", 0))
        return await loop.aside("{}!".format, "done")

    assert run(whole()) == "done!"
    assert steps == ["a0", "b0", "a1", "c0"]


@LOOPS
def test_timers_come_in_their_order_unless_cancelled(run):
    """However they were asked for."""

    async def whole():
        running, seen = loop.running_loop(), []
        last = running.create_future()
        running.call_later(0.03, last.set_result, "last")
        cancelled = running.call_later(0.01, seen.append, "cancelled")
        running.call_later(0.02, seen.append, "second")
        running.call_later(0.0, seen.append, "first")
        cancelled.cancel()
        return [*seen, await loop.unbroken(last), *seen]

    assert run(whole()) == ["last", "first", "second"]


@LOOPS
def test_a_socket_is_read_and_written_when_it_may_be(run):
    """Both may be waited for at once, and either left."""

    async def whole():
        running = loop.running_loop()
        here, there = socket.socketpair()
        with here, there:
            for end in (here, there):
                end.setblocking(False)
            written, read = running.create_future(), running.create_future()

            def write():
                running.remove_writer(here)
                written.set_result(here.send(b"question"))

            def answer():
                running.remove_reader(there)
                there.send(there.recv(100).upper())

            def listen():
                running.remove_reader(here)
                read.set_result(here.recv(100))

            running.add_reader(there, answer)
            running.add_reader(here, listen)
            running.add_writer(here, write)
            return [await written, await read]

    assert run(whole()) == [8, b"QUESTION"]


def test_a_wait_that_cannot_end_is_told():
    """Instead of waiting for ever; afterwards another loop may run."""

    async def forgotten():
        await loop.running_loop().create_future()

    async def inside():
        with pytest.raises(RuntimeError, match="expected no loop to run"):
            loop.run(inside())

    with pytest.raises(RuntimeError, match="nothing that could still come"):
        loop.run(forgotten())
    loop.run(inside())


@LOOPS
def test_what_is_interrupted_puts_in_order_what_it_holds(run):
    """Ctrl-C reaches a coroutine where it waits, and what it still has to wait for then comes."""
    steps = []

    def interrupt():
        raise KeyboardInterrupt

    async def whole():
        loop.running_loop().call_soon(interrupt)
        try:
            await loop.running_loop().create_future()
        finally:
            await loop.turn()
            steps.append("in order")

    with pytest.raises(KeyboardInterrupt):
        run(whole())
    assert steps == ["in order"]


@LOOPS
def test_a_socket_that_was_left_is_not_read_any_more(run):
    """Not even where both had something to read, and the one that came first left the other."""
    read = []

    async def whole():
        running = loop.running_loop()
        pairs = [socket.socketpair() for _ in range(2)]
        done = running.create_future()

        def first(own):
            read.append(own)
            for here, _ in pairs:
                running.remove_reader(here)
            done.set_result(None)

        for number, (here, there) in enumerate(pairs):
            running.add_reader(here, lambda number=number: first(number))
            there.send(b"x")
        await done
        await loop.turn()
        for pair in pairs:
            for end in pair:
                end.close()

    run(whole())
    assert len(read) == 1
