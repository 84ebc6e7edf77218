"""A bounded queue that shares time, not turns, between its keys.

A repository whose policies loop takes as many seconds as it can get; taking turns would still
give it nearly all of them. So each key has a clock that runs while its work is done, and the
key whose clock is furthest behind is next (stride scheduling). When the queue is full, the key
that holds most of it gives way. Pure: no clock of its own, no waiting.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from itertools import count
from typing import Generic, TypeVar

Item = TypeVar("Item")


class FairQueue(Generic[Item]):
    """Items by key; `pop` takes from the key that had least, in the order of arrival within a key."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._waiting: dict[str, deque[Item]] = {}
        self._used: dict[str, float] = {}
        self._heap: list[tuple[float, int, str]] = []
        self._order = count()
        self._now = 0.0
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Item]:
        return (item for line in self._waiting.values() for item in line)

    def push(self, key: str, item: Item) -> Item | None:
        """Queue it. Full: what has to give way is answered, the item itself or the newest of the key that holds most."""
        if self._length >= self.limit:
            longest = max(self._waiting, key=lambda each: len(self._waiting[each]), default=key)
            if len(self._waiting.get(longest, ())) <= len(self._waiting.get(key, ())) + 1:
                return item
            self._append(key, item)
            return self._drop_newest(longest)
        self._append(key, item)
        return None

    def push_front(self, key: str, item: Item) -> None:
        """Put back what was taken but not done, whatever the limit."""
        self._append(key, item, front=True)

    def pop(self) -> tuple[str, Item]:
        """The next item. Raises IndexError when empty."""
        while self._heap:
            used, _, key = heapq.heappop(self._heap)
            line = self._waiting.get(key)
            if not line:
                continue
            current = self._used.get(key, self._now)
            if current > used:
                heapq.heappush(self._heap, (current, next(self._order), key))
                continue
            self._now = max(self._now, used)
            item = line.popleft()
            self._length -= 1
            self._settle(key)
            return key, item
        raise IndexError("pop from an empty queue")

    def charge(self, key: str, seconds: float) -> None:
        """Run the key's clock. May be negative: an estimate taken back."""
        self._used[key] = self._used.get(key, self._now) + seconds
        if len(self._used) > 4096:
            self._used = {each: used for each, used in self._used.items() if used > self._now or each in self._waiting}

    def _append(self, key: str, item: Item, *, front: bool = False) -> None:
        line = self._waiting.get(key)
        if line is None:
            line = self._waiting[key] = deque()
            self._used[key] = max(self._used.get(key, 0.0), self._now)
            heapq.heappush(self._heap, (self._used[key], next(self._order), key))
        if front:
            line.appendleft(item)
        else:
            line.append(item)
        self._length += 1

    def _settle(self, key: str) -> None:
        if self._waiting[key]:
            heapq.heappush(self._heap, (self._used[key], next(self._order), key))
        else:
            del self._waiting[key]

    def _drop_newest(self, key: str) -> Item:
        item = self._waiting[key].pop()
        self._length -= 1
        if not self._waiting[key]:
            del self._waiting[key]
        return item
