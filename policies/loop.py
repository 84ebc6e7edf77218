"""The loop that waits: asyncio's where it runs, or a plain one for a command that has to answer before asyncio is loaded.

The plain loop knows sockets, timers, tasks and futures, by asyncio's names, and neither threads nor cancelling: what is put
aside is done at once, since nobody else is held up. It is asyncio's twin for the same coroutines, as far as those that come
to `policies` and an engine in worker processes go; whatever needs more runs under asyncio.
"""

from __future__ import annotations

import contextlib
import functools
import heapq
import itertools
import selectors
import time
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from types import coroutine
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

if TYPE_CHECKING:
    import asyncio

Result = TypeVar("Result")

_plain: PlainLoop | None = None
"""The plain loop, while it runs."""


def running_loop() -> asyncio.AbstractEventLoop:
    """The loop that runs. Of the plain one only what `PlainLoop` has is there. Raises RuntimeError where none runs."""
    if _plain is not None:
        return cast("asyncio.AbstractEventLoop", _plain)
    return _running()()


@functools.cache
def _running() -> Callable[[], asyncio.AbstractEventLoop]:
    """Kept: an `import` costs a microsecond each time, and the loop is asked for several times a judgement."""
    import asyncio

    return asyncio.get_running_loop


async def together(*coroutines: Coroutine[Any, Any, Result]) -> list[Result]:
    """Each at the same time as the others; their results in order, or what the first of them that failed raised."""
    if _plain is not None:
        tasks = [_plain.create_task(each) for each in coroutines]
        return [await task for task in tasks]
    import asyncio

    return await asyncio.gather(*coroutines)


async def aside(function: Callable[..., Result], *arguments: Any) -> Result:
    """What the function answers; whatever else the loop has to do goes on meanwhile, where there is more than one thread."""
    if _plain is not None:
        return function(*arguments)
    import asyncio

    return await asyncio.to_thread(function, *arguments)


async def unbroken(waited: asyncio.Future[Result]) -> Result:
    """Its result; one who gives up waiting does not stop it."""
    if _plain is not None:
        return await waited
    import asyncio

    return await asyncio.shield(waited)


@coroutine
def turn() -> Generator[None, None, None]:
    """Let the loop do what has become possible meanwhile."""
    yield


def run(whole: Coroutine[Any, Any, Result]) -> Result:
    """What the coroutine comes to, on a plain loop. What it left unfinished is left."""
    global _plain
    if _plain is not None:
        whole.close()
        raise RuntimeError("expected no loop to run, found one")
    _plain = PlainLoop()
    try:
        return _plain.result_of(whole)
    finally:
        _plain = None


class PlainLoop:
    """By asyncio's names, what an engine in worker processes asks of a loop."""

    def __init__(self) -> None:
        self._ready: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._timers: list[tuple[float, int, Timer]] = []
        self._numbers = itertools.count()
        self._selector = selectors.DefaultSelector()

    def result_of(self, whole: Coroutine[Any, Any, Result]) -> Result:
        """Turn until the coroutine has ended. Raises RuntimeError where it waits for what can never come."""
        task = self.create_task(whole)
        try:
            while not task.done():
                self._turn()
            return task.result()
        except BaseException as ending:  # Ctrl-C too: the coroutine puts in order what it holds
            if not task.done():
                self._end(task, ending)
            raise
        finally:
            self._selector.close()

    def _end(self, task: PlainTask[Any], ending: BaseException) -> None:
        with contextlib.suppress(type(ending)):
            task.end_by(ending)
            while not task.done():
                self._turn()

    def call_soon(self, callback: Callable[..., object], *arguments: Any) -> None:
        self._ready.append((callback, arguments))

    def call_later(self, delay: float, callback: Callable[..., object], *arguments: Any) -> Timer:
        """delay: seconds."""
        timer = Timer(callback, arguments)
        heapq.heappush(self._timers, (time.monotonic() + delay, next(self._numbers), timer))
        return timer

    def create_future(self) -> PlainFuture[Any]:
        return PlainFuture(self)

    def create_task(self, coroutine: Coroutine[Any, Any, Result]) -> PlainTask[Result]:
        return PlainTask(self, coroutine)

    def add_reader(self, file: Any, callback: Callable[[], object]) -> None:
        self._watch(file, selectors.EVENT_READ, callback)

    def add_writer(self, file: Any, callback: Callable[[], object]) -> None:
        self._watch(file, selectors.EVENT_WRITE, callback)

    def remove_reader(self, file: Any) -> None:
        self._watch(file, selectors.EVENT_READ, None)

    def remove_writer(self, file: Any) -> None:
        self._watch(file, selectors.EVENT_WRITE, None)

    def _watch(self, file: Any, event: int, callback: Callable[[], object] | None) -> None:
        key = self._selector.get_map().get(file)
        callbacks = {} if key is None else {each: kept for each, kept in key.data.items() if each != event}
        if callback is not None:
            callbacks[event] = callback
        events = sum(callbacks)
        if not events:
            if key is not None:
                self._selector.unregister(file)
        elif key is None:
            self._selector.register(file, events, callbacks)
        else:
            self._selector.modify(file, events, callbacks)

    def _if_watched(self, number: int, event: int, callback: Callable[[], object]) -> None:
        """What was done before it in this turn may have ended the watch, and closed the file."""
        key = self._selector.get_map().get(number)
        if key is not None and key.data.get(event) == callback:
            callback()

    def _turn(self) -> None:
        """Wait for what comes first; then what is due, once each."""
        while self._timers and self._timers[0][2].cancelled:
            heapq.heappop(self._timers)
        if not (self._ready or self._timers or self._selector.get_map()):
            raise RuntimeError("expected something to wait for, found nothing that could still come")
        wait = 0.0 if self._ready else max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None
        for key, events in self._selector.select(wait):
            self._ready.extend((self._if_watched, (key.fd, event, callback)) for event, callback in key.data.items() if event & events)
        while self._timers and self._timers[0][0] <= time.monotonic():
            heapq.heappop(self._timers)[2].move_to(self._ready)
        for _ in range(len(self._ready)):
            callback, arguments = self._ready.popleft()
            callback(*arguments)


class Timer:
    """Something to be done later, unless it is cancelled."""

    def __init__(self, callback: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        self._callback, self._arguments = callback, arguments
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True

    def move_to(self, ready: deque[tuple[Callable[..., object], tuple[Any, ...]]]) -> None:
        if not self.cancelled:
            ready.append((self._callback, self._arguments))


class PlainFuture(Generic[Result]):
    """A result to come."""

    def __init__(self, loop: PlainLoop) -> None:
        self._loop = loop
        self._done = False
        self._result: Any = None
        self._problem: BaseException | None = None
        self._callbacks: list[Callable[[Any], object]] = []

    def done(self) -> bool:
        return self._done

    def cancelled(self) -> bool:
        return False

    def result(self) -> Result:
        """Raises what went wrong."""
        if self._problem is not None:
            raise self._problem
        return cast("Result", self._result)

    def exception(self) -> BaseException | None:
        return self._problem

    def set_result(self, result: Result) -> None:
        self._result = result
        self._settle()

    def set_exception(self, problem: BaseException) -> None:
        self._problem = problem
        self._settle()

    def add_done_callback(self, callback: Callable[[Any], object]) -> None:
        if self._done:
            self._loop.call_soon(callback, self)
        else:
            self._callbacks.append(callback)

    def __await__(self) -> Generator[Any, None, Result]:
        if not self._done:
            yield self
        return self.result()

    def _settle(self) -> None:
        self._done = True
        for callback in self._callbacks:
            self._loop.call_soon(callback, self)


class PlainTask(PlainFuture[Result]):
    """A coroutine on its way, one step for each thing it waits for."""

    def __init__(self, loop: PlainLoop, coroutine: Coroutine[Any, Any, Result]) -> None:
        super().__init__(loop)
        self._coroutine = coroutine
        self._waited: PlainFuture[Any] | None = None
        loop.call_soon(self._step)

    def end_by(self, problem: BaseException) -> None:
        """Raise it where the coroutine waits."""
        self._go_on(self._coroutine.throw, problem)

    def _step(self, waited: PlainFuture[Any] | None = None) -> None:
        if waited is self._waited and not self._done:
            self._go_on(self._coroutine.send, None)

    def _go_on(self, how: Callable[[Any], Any], what: object) -> None:
        try:
            self._waited = how(what)
        except StopIteration as end:
            self.set_result(end.value)
        except BaseException as problem:  # whoever waits for the task hears of it, and of what ends the process the loop too
            self.set_exception(problem)
            if not isinstance(problem, Exception):
                raise
        else:
            if self._waited is None:
                self._loop.call_soon(self._step)
            else:
                self._waited.add_done_callback(self._step)
