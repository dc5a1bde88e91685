"""Remembers sums of days that are over, for as long as what they are made of stays the same.

To add up a year of hours takes longer than all else on a page; to see that nothing came to them takes a tenth.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace

from canopy.store.feedback.hourly_counts import DAY
from canopy.store.feedback.query import Filter

_MOST = 4  # selections that are remembered
_LONGEST = 5_000  # sums of a selection that is remembered: about 3 MB


class SettledSums[T]:
    """Keeps the sums by the day of the latest selections, each with a checksum of what it was made of."""

    def __init__(self, clock: Callable[[], int]) -> None:
        """`clock` gives microseconds."""
        self._clock = clock
        self._lock = threading.Lock()
        self._known: OrderedDict[Filter, tuple[Hashable, Sequence[T]]] = OrderedDict()

    def read(
        self, where: Filter, checksum: Callable[[Filter], Hashable], add_up: Callable[[Filter], Sequence[T]]
    ) -> list[T]:
        """Return what `add_up` gives for a selection, oldest first. For days that are over it asks `checksum` first."""
        today = self._clock() // DAY * DAY
        if where.until is not None and where.until <= today:
            return list(add_up(where))
        settled = replace(where, until=today)
        return [
            *self._settled(settled, checksum(settled), add_up),
            *add_up(replace(where, since=max(where.since or 0, today))),
        ]

    def _settled(self, where: Filter, checksum: Hashable, add_up: Callable[[Filter], Sequence[T]]) -> Sequence[T]:
        with self._lock:
            known = self._known.get(where)
        if known is None or known[0] != checksum:
            known = checksum, add_up(where)
        if len(known[1]) <= _LONGEST:
            with self._lock:
                self._known[where] = known
                self._known.move_to_end(where)
                if len(self._known) > _MOST:
                    self._known.popitem(last=False)
        return known[1]
