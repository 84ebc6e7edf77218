"""When the engine looks for what it was told of, by a clock that only goes on when it is told to."""

from __future__ import annotations

import itertools

from gateway.durable.sql.hearing import Hearing


class Clock:
    """An event loop's timers, without the loop."""

    def __init__(self):
        self.now = 0.0
        self.timers = []

    def later(self, delay, callback):
        self.timers.append((self.now + delay, callback))

    def until(self, moment):
        """Everything due by then, in order."""
        while due := [timer for timer in self.timers if timer[0] <= moment]:
            first = min(due, key=lambda timer: timer[0])
            self.timers.remove(first)
            self.now = first[0]
            first[1]()
        self.now = moment


def looks_of(told):
    """When it looks, told at these moments."""
    clock, looks = Clock(), []
    hearing = Hearing(lambda: looks.append(clock.now))
    for moment in told:
        clock.until(moment)
        hearing.told(clock.later)
    clock.until(told[-1] + 10)
    assert not clock.timers, "it comes to rest"
    return looks


def test_whoever_comes_alone_does_not_wait():
    """However often, with some time between."""
    told = [1.0, 2.0, 3.0]
    assert looks_of(told) == told


def test_in_a_flood_looks_become_rare_and_the_last_word_is_still_heard():
    """A thousand a second for two seconds: far fewer looks, one of them after the last, and soon."""
    told = [number / 1000 for number in range(2000)]
    looks = looks_of(told)
    assert looks[0] == told[0]
    assert len(looks) < 20
    assert told[-1] <= looks[-1] <= told[-1] + 0.2
    assert max(after - before for before, after in itertools.pairwise(looks)) <= 0.2


def test_after_a_flood_whoever_comes_alone_does_not_wait_either():
    """The pauses are short again once one has passed in silence."""
    flood = [number / 1000 for number in range(1000)]
    looks = looks_of([*flood, 5.0, 5.05])
    assert looks[-2:] == [5.0, 5.05]
