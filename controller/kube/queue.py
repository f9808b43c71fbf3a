"""What is to be looked at next: a queue of names.

A name is worked on once at a time; one that is added meanwhile is looked at
once more. Namespaces take turns, so that a busy one does not starve the others,
and what a person waits for goes before what is only looked at again.
"""

import heapq
import math
from collections import OrderedDict, deque
from collections.abc import Callable

from .cache import Key

_FIRST_RETRY = 0.05
_LONGEST_RETRY = 300.0
_QUIET = 1.0
"""Seconds without a failure, or its last pause if that is longer, after which those before it are
forgotten. That something went well in between says little: of several steps a later one may fail.
"""


class WorkQueue:
    """Pure: the time is given. `chance` draws from 0 to 1, and spreads retries."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._lanes: tuple[_Lane, _Lane] = (_Lane(), _Lane())
        self._waiting: dict[Key, bool] = {}  # whether it is urgent
        self._active: set[Key] = set()
        self._again: dict[Key, bool] = {}
        self._later: list[tuple[float, Key]] = []  # may hold moments that are no longer due
        self._due: dict[Key, float] = {}
        self._failures: dict[Key, tuple[int, float]] = {}  # how many, and until when they count

    def add(self, key: Key, *, urgent: bool = True) -> None:
        """Look at it soon; adding it again changes nothing, but may make it urgent."""
        if key in self._active:
            self._again[key] = self._again.get(key, False) or urgent
            return
        known = self._waiting.get(key)
        if known is None or (urgent and not known):
            self._waiting[key] = urgent
            self._lanes[0 if urgent else 1].add(key)

    def add_at(self, key: Key, moment: float) -> None:
        """Look at it at a moment; of several moments the first counts."""
        if moment < self._due.get(key, math.inf):
            self._due[key] = moment
            heapq.heappush(self._later, (moment, key))

    def retry(self, key: Key, now: float) -> None:
        """Look at it again after a pause, twice as long each time it fails again soon."""
        before, until = self._failures.get(key, (0, now))
        failures = before + 1 if now < until else 1
        pause = min(_LONGEST_RETRY, _FIRST_RETRY * 2.0 ** min(failures, 30))
        self._failures[key] = (failures, now + pause + max(pause, _QUIET))
        self.add_at(key, now + pause * (0.5 + 0.5 * self._chance()))

    def forget(self, key: Key) -> None:
        """It is gone: a failure of another by its name is that one's first."""
        self._failures.pop(key, None)

    def take(self, now: float) -> Key | None:
        """Return what to look at, None when there is nothing now; `done` gives it back."""
        while (moment := self.wake_at) is not None and moment <= now:
            _, due = heapq.heappop(self._later)
            del self._due[due]
            self.add(due)
        for lane in self._lanes:
            while (key := lane.take()) is not None:
                if self._waiting.pop(key, None) is not None:  # else its urgent self was taken
                    self._active.add(key)
                    return key
        return None

    def done(self, key: Key) -> None:
        """Work on it is over; what was added meanwhile is looked at again."""
        self._active.discard(key)
        urgent = self._again.pop(key, None)
        if urgent is not None:
            self.add(key, urgent=urgent)

    @property
    def wake_at(self) -> float | None:
        """When something is due that is not yet."""
        while self._later and self._due.get(self._later[0][1]) != self._later[0][0]:
            heapq.heappop(self._later)
        return self._later[0][0] if self._later else None

    def __len__(self) -> int:
        return len(self._waiting)


class _Lane:
    """Names in the order of their coming, one namespace after another."""

    def __init__(self) -> None:
        self._by_namespace: OrderedDict[str, deque[Key]] = OrderedDict()

    def add(self, key: Key) -> None:
        self._by_namespace.setdefault(key.namespace, deque()).append(key)

    def take(self) -> Key | None:
        if not self._by_namespace:
            return None
        namespace, keys = next(iter(self._by_namespace.items()))
        key = keys.popleft()
        if keys:
            self._by_namespace.move_to_end(namespace)
        else:
            del self._by_namespace[namespace]
        return key
