"""Whose process is dead, as seen from one that watches."""

from __future__ import annotations

from gateway.durable.sql.liveness import Watch


def test_process_that_beats_is_alive():
    """However long it is watched."""
    watch = Watch(10.0)
    for elapsed in range(0, 100, 5):
        assert watch.look({"a": elapsed}, float(elapsed)) == {}


def test_process_that_does_not_beat_for_a_lease_is_dead():
    """Counted from when the watcher first saw that beat, on the watcher's own clock."""
    watch = Watch(10.0)
    assert watch.look({"a": 7}, 100.0) == {}
    assert watch.look({"a": 7}, 110.0) == {}
    assert watch.look({"a": 7}, 110.1) == {"a": 7}


def test_watcher_that_has_just_come_does_not_judge():
    """A beat of long ago, by somebody else's clock, says nothing yet."""
    assert Watch(10.0).look({"a": 1, "b": 99}, 1e9) == {}


def test_process_that_beat_again_begins_anew():
    """Also when it was nearly late."""
    watch = Watch(10.0)
    watch.look({"a": 1}, 0.0)
    assert watch.look({"a": 2}, 10.5) == {}
    assert watch.look({"a": 2}, 20.0) == {}


def test_process_that_left_and_came_back_is_new():
    """What was seen of it before does not count."""
    watch = Watch(10.0)
    watch.look({"a": 1}, 0.0)
    watch.look({}, 5.0)
    assert watch.look({"a": 1}, 20.0) == {}
