"""Remembers sums of days that are over, for as long as what they are made of stays the same.

To add up a year of hours takes longer than all else on a page; to see that nothing came to them takes a tenth.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence

_MOST = 4  # selections that are remembered
_LONGEST = 5_000  # sums of a selection that is remembered: about 3 MB


class SettledSums[T]:
    """Keeps the sums of the latest selections, each with a checksum of what it was made of."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[Hashable, tuple[Hashable, Sequence[T]]] = OrderedDict()

    def get(self, selection: Hashable, checksum: Hashable, add_up: Callable[[], Sequence[T]]) -> Sequence[T]:
        """Return the sums of a selection that has this checksum now."""
        with self._lock:
            known = self._known.get(selection)
        if known is None or known[0] != checksum:
            known = checksum, add_up()
        if len(known[1]) <= _LONGEST:
            with self._lock:
                self._known[selection] = known
                self._known.move_to_end(selection)
                if len(self._known) > _MOST:
                    self._known.popitem(last=False)
        return known[1]
