"""Remembers sums of days that are over, for as long as nothing is added to them.

To add up a year of hours takes longer than everything else on a page; to see that nothing came to them takes a tenth.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence

from canopy.store.generations.usage import UsageCount

_MOST = 4  # selections that are remembered
_LONGEST = 5_000  # sums of a selection that is remembered: about 3 MB


class SettledCounts:
    """Keeps the sums of the latest selections, each with the number of generations that it was made of."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[Hashable, tuple[int, Sequence[UsageCount]]] = OrderedDict()

    def get(self, selection: Hashable, n: int, add_up: Callable[[], Sequence[UsageCount]]) -> Sequence[UsageCount]:
        """Return the sums of a selection that has `n` generations now. The number only ever grows."""
        with self._lock:
            known = self._known.get(selection)
        if known is None or known[0] != n:
            known = n, add_up()
        if len(known[1]) <= _LONGEST:
            with self._lock:
                self._known[selection] = known
                self._known.move_to_end(selection)
                if len(self._known) > _MOST:
                    self._known.popitem(last=False)
        return known[1]
