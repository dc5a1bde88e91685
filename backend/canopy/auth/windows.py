"""Counts of one kind, in windows that slide, at a cost that doesn't depend on how many clients there are.

Time is cut into fixed windows, of which two are kept: the count of the window before, by the share of it that still
lies within one length of now, plus the count of the window under way. A window that is over is dropped as a whole, so
that no timer walks over clients.

A window holds so many clients and no more. Those that come when it is full share counters by their hash: somebody who
fills it can neither make Canopy forget a count nor take up its memory, only make newcomers share for one window.
"""

import itertools
from typing import NamedTuple

_CLIENTS = 50_000  # with a count of their own in one window, about 150 bytes each
_SHARED = 1_024  # counters for all others
# A client that has used less than this part of its limit on a replica isn't told to the others: nearly everybody's
# count costs the database nothing, and a flood of clients with one request each neither.
_UNTOLD = 16
_SOON = 1e-6  # of a window; a client that is at its limit waits, however short


class WindowCount(NamedTuple):
    """What a client was counted here and the store has not heard of yet."""

    client: str
    window: int
    cost: int


class _Window:
    """One fixed window. `untold` is what the store has not heard of; `due` whom it should hear of."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.counts: dict[str | int, int] = {}
        self.untold: dict[str, int] = {}
        self.due: dict[str, None] = {}

    def count(self, client: str) -> int:
        """The client's count; of whoever shares its counter where it has none of its own."""
        own = self.counts.get(client)
        return self.counts.get(_counter_of(client), 0) if own is None else own

    def add(self, client: str, cost: int, limit: int) -> bool:
        """Count; whether somebody is due who wasn't."""
        if client not in self.counts and len(self.counts) >= _CLIENTS:
            counter = _counter_of(client)
            self.counts[counter] = self.counts.get(counter, 0) + cost
            return False
        count = self.counts[client] = self.counts.get(client, 0) + cost
        self.untold[client] = self.untold.get(client, 0) + cost
        if client in self.due or count * _UNTOLD < limit:
            return False
        self.due[client] = None
        return True


class Windows:
    """Counts by client, `seconds` the length of a window. Times are seconds since whenever, of one clock."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        self._current, self._before = _Window(0), _Window(-1)

    def wait(self, client: str, limit: int, now: float) -> float:
        """Seconds until the client is below its limit; 0 when it is."""
        passed = self._move(now)
        current, before = self._current.count(client), self._before.count(client)
        if before * (1 - passed) + current < limit:
            return 0
        if current < limit:  # enough of the window before will soon lie too far back
            return max(_SOON, 1 - passed - (limit - current) / before) * self.seconds
        return (1 - passed + 1 - limit / current) * self.seconds

    def add(self, client: str, cost: int, limit: int, now: float) -> bool:
        """Count; whether there is somebody new to tell the store of."""
        self._move(now)
        return self._current.add(client, cost, limit)

    def take_due(self, most: int) -> list[WindowCount]:
        """Some of what the store should hear of, which counts as told from now on."""
        taken: list[WindowCount] = []
        for window in (self._before, self._current):
            for client in list(itertools.islice(window.due, most - len(taken))):
                del window.due[client]
                taken.append(WindowCount(client, window.index, window.untold.pop(client)))
        return taken

    def give_back(self, count: WindowCount) -> None:
        """The store has not heard of it after all."""
        if window := self._window(count.window):
            window.untold[count.client] = window.untold.get(count.client, 0) + count.cost
            window.due[count.client] = None

    def learn(self, count: WindowCount, total: int, total_before: int) -> None:
        """What the store counts for a client in a window and in the one before it, after it has heard of `count`."""
        for index, known in ((count.window, total), (count.window - 1, total_before)):
            if (window := self._window(index)) and (known or count.client in window.counts):
                window.counts[count.client] = known + window.untold.get(count.client, 0)

    def _window(self, index: int) -> _Window | None:
        return next((window for window in (self._current, self._before) if window.index == index), None)

    def _move(self, now: float) -> float:
        """Begin another window when it is time; the share of the window under way that has passed."""
        index, rest = divmod(now, self.seconds)
        if index < self._current.index - 1:  # the clock was far ahead: waiting for it would lock everybody out
            self._before, self._current = _Window(int(index) - 1), _Window(int(index))
        elif index > self._current.index:
            adjacent = index == self._current.index + 1
            self._before = self._current if adjacent else _Window(int(index) - 1)
            self._current = _Window(int(index))
        return rest / self.seconds if index == self._current.index else 0.0  # a clock that was set back a little


def _counter_of(client: str) -> int:
    return hash(client) % _SHARED
