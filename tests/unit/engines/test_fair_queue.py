"""The queue shares time between keys and keeps order within one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.engines.fair_queue import FairQueue


def drained(queue):
    """All (key, item), in order."""
    return [queue.pop() for _ in range(len(queue))]


def test_within_a_key_the_first_comes_first():
    """Arrival order."""
    queue = FairQueue(10)
    for number in range(5):
        queue.push("a", number)
    assert drained(queue) == [("a", number) for number in range(5)]


def test_the_key_that_used_least_is_next():
    """Seconds count, not turns."""
    queue = FairQueue(100)
    for number in range(3):
        queue.push("slow", number)
    for number in range(30):
        queue.push("quick", number)
    served = []
    while len(queue):
        key, _ = queue.pop()
        queue.charge(key, 1.0 if key == "slow" else 0.1)
        served.append(key)
    first_half = served[: served.index("slow", served.index("slow") + 1)]
    assert first_half.count("quick") >= 9
    assert first_half.count("slow") == 1


def test_who_comes_late_does_not_catch_up_on_the_past():
    """A key that was away starts level with the others instead of having the worker to itself."""
    queue = FairQueue(100)
    for number in range(50):
        queue.push("old", number)
    for _ in range(20):
        queue.charge(queue.pop()[0], 1.0)
    for number in range(50):
        queue.push("new", number)
    served = []
    for _ in range(20):
        key, _ = queue.pop()
        queue.charge(key, 1.0)
        served.append(key)
    assert 8 <= served.count("old") <= 12


def test_a_key_that_comes_one_at_a_time_is_not_forgiven():
    """What it used counts although it had left the queue empty in between."""
    queue = FairQueue(100)
    for number in range(100 - 1):
        queue.push("many", number)
    looped = 0
    for _ in range(60):
        if looped < 60:
            queue.push("one", "loop")
        key, _ = queue.pop()
        queue.charge(key, 5.0 if key == "one" else 1.0)
        looped += key == "one"
    assert looped <= 12


def test_when_full_the_key_that_holds_most_gives_way():
    """Its newest item is pushed out; a newcomer of the same key is refused itself."""
    queue = FairQueue(4)
    for number in range(4):
        assert queue.push("greedy", number) is None
    assert queue.push("greedy", 4) == 4
    assert queue.push("modest", "mine") == 3
    assert len(queue) == 4
    assert ("modest", "mine") in drained(queue)


def test_an_item_put_back_is_first_of_its_key():
    """And is not refused, full or not."""
    queue = FairQueue(2)
    queue.push("a", 1)
    queue.push("a", 2)
    queue.push_front("a", 0)
    assert [item for _, item in drained(queue)] == [0, 1, 2]


def test_an_empty_queue_has_no_next():
    """An IndexError, as of any empty sequence."""
    with pytest.raises(IndexError):
        FairQueue(1).pop()


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(-0.01, 5)), max_size=80), st.integers(1, 20))
def test_nothing_is_lost_doubled_or_kept_over_the_limit(pushes, limit):
    """Every item is popped, or was refused when the queue was full, exactly once."""
    queue = FairQueue(limit)
    refused, popped = [], []
    for number, (key, seconds) in enumerate(pushes):
        out = queue.push(key, number)
        if out is not None:
            refused.append(out)
        assert len(queue) <= limit
        if number % 3 == 0 and len(queue):
            served, item = queue.pop()
            queue.charge(served, seconds)
            popped.append(item)
    popped += [item for _, item in drained(queue)]
    assert sorted(popped + refused) == list(range(len(pushes)))


@given(st.dictionaries(st.sampled_from("abcd"), st.floats(0.01, 1.0), min_size=2))
def test_busy_keys_get_even_shares(costs):
    """Over a while, no key gets more than its share and one item more."""
    queue = FairQueue(10_000)
    for key in costs:
        for number in range(400):
            queue.push(key, number)
    used = dict.fromkeys(costs, 0.0)
    for _ in range(200):
        key, _ = queue.pop()
        queue.charge(key, costs[key])
        used[key] += costs[key]
    assert max(used.values()) - min(used.values()) <= 2 * max(costs.values()) + 1e-9
