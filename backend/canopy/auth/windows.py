"""Sliding-window counts of one kind, at a cost that doesn't depend on the number of clients.

Time is cut into fixed windows, and two are kept. A count is the current window's plus the previous window's, weighted
by the share of it that lies less than one length ago. An expired window is dropped as a whole, so no timer walks over
clients.

A window has a bounded number of clients. Those that come when it is full share counters by their hash: somebody who
fills it can neither erase counts nor use up memory, only make newcomers share for one window.
"""

import itertools
from typing import NamedTuple

_CLIENTS = 50_000  # clients with a count of their own in one window, about 150 bytes each
_SHARED = 1_024  # counters that all other clients share
# A count is shared with other replicas from limit / 16 on. So nearly all
# clients cost the database nothing, even a flood of them with one request each.
_SHARE_FROM_PART = 16
_SOON = 1e-6  # of a window: the shortest wait of a client at its limit


class WindowCount(NamedTuple):
    """Holds the part of a client's count in one window that other replicas can't see yet, as the store lacks it."""

    client: str
    window: int
    cost: int


class _Window:
    """One fixed window. `unshared` holds the counts that the store lacks; `due` the clients to share next."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.counts: dict[str | int, int] = {}
        self.unshared: dict[str, int] = {}
        self.due: dict[str, None] = {}

    def count(self, client: str) -> int:
        """Return the client's count, or its shared counter's if it has none of its own."""
        own = self.counts.get(client)
        return self.counts.get(_counter_of(client), 0) if own is None else own

    def add(self, client: str, cost: int, limit: int) -> bool:
        """Add `cost` to the client's count; return whether that made the count one to send to the store.

        It is one from a part of `limit` on. False if it has been one already.
        """
        if client not in self.counts and len(self.counts) >= _CLIENTS:
            counter = _counter_of(client)
            self.counts[counter] = self.counts.get(counter, 0) + cost
            return False
        count = self.counts[client] = self.counts.get(client, 0) + cost
        self.unshared[client] = self.unshared.get(client, 0) + cost
        if client in self.due or count * _SHARE_FROM_PART < limit:
            return False
        self.due[client] = None
        return True


class Windows:
    """Counts by client. `seconds` is a window's length; times are seconds of one clock with any origin."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        self._current, self._before = _Window(0), _Window(-1)

    def wait(self, client: str, limit: int, now: float) -> float:
        """Return the seconds until the client is below its limit; 0 when it is."""
        passed = self._move(now)
        current, before = self._current.count(client), self._before.count(client)
        if before * (1 - passed) + current < limit:
            return 0
        if current < limit:  # the previous window's weight will have fallen enough
            return max(_SOON, 1 - passed - (limit - current) / before) * self.seconds
        return (1 - passed + 1 - limit / current) * self.seconds

    def add(self, client: str, cost: int, limit: int, now: float) -> bool:
        """Add `cost` to the client's count; return whether `take_unshared` has one more count for the store now.

        `limit` is what the client may reach within a window's length.
        """
        self._move(now)
        return self._current.add(client, cost, limit)

    def take_unshared(self, most: int) -> list[WindowCount]:
        """Remove and return up to `most` counts to send to the store."""
        taken: list[WindowCount] = []
        for window in (self._before, self._current):
            for client in list(itertools.islice(window.due, most - len(taken))):
                del window.due[client]
                taken.append(WindowCount(client, window.index, window.unshared.pop(client)))
        return taken

    def put_back(self, count: WindowCount) -> None:
        """Return a count that could not be sent."""
        if window := self._window(count.window):
            window.unshared[count.client] = window.unshared.get(count.client, 0) + count.cost
            window.due[count.client] = None

    def apply_total(self, count: WindowCount, total: int, total_before: int) -> None:
        """Replace a client's counts by the store's, for the window of `count` and the one before it."""
        for index, known in ((count.window, total), (count.window - 1, total_before)):
            if (window := self._window(index)) and (known or count.client in window.counts):
                window.counts[count.client] = known + window.unshared.get(count.client, 0)

    def _window(self, index: int) -> _Window | None:
        return next((window for window in (self._current, self._before) if window.index == index), None)

    def _move(self, now: float) -> float:
        """Begin another window when it is time; return the share of the current one that has passed."""
        index, rest = divmod(now, self.seconds)
        if index < self._current.index - 1:  # the clock was far ahead: keeping its window would lock everybody out
            self._before, self._current = _Window(int(index) - 1), _Window(int(index))
        elif index > self._current.index:
            adjacent = index == self._current.index + 1
            self._before = self._current if adjacent else _Window(int(index) - 1)
            self._current = _Window(int(index))
        return rest / self.seconds if index == self._current.index else 0.0  # a clock that was set back a little


def _counter_of(client: str) -> int:
    return hash(client) % _SHARED
