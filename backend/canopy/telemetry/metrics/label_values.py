"""How many values of a label are told apart, where a process may live through any number of them."""

from collections.abc import Iterable

OTHER = "_OTHER"  # OpenTelemetry's label for what is not told apart


class LabelValues:
    """The values that have series of their own: at most `most`, and all others are `_OTHER`.

    A value of which something was counted keeps its place: a counter that is taken away loses what came since the last
    scrape. One of which nothing was counted, and that is in force no longer, makes room when there is need.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._places: dict[str, None] = {}  # first what has been out of force the longest
        self._counted: set[str] = set()

    def expect(self, values: Iterable[str]) -> list[str]:
        """Give the values in force their places; return those that made room, whose series at 0 are to be removed."""
        in_force = dict.fromkeys(values)
        missing = len(in_force.keys() - self._places.keys()) + len(self._places) - self._most
        idle = [it for it in self._places if it not in in_force and it not in self._counted]
        gone = idle[: max(0, missing)]
        for value in gone:
            del self._places[value]
        for value in in_force:
            if value in self._places:
                del self._places[value]  # to be the last
            self.expected(value)
        return gone

    def expected(self, value: str) -> str:
        """Return what the label says for a series at 0."""
        if value in self._places:
            return value
        if len(self._places) >= self._most:
            return OTHER
        self._places[value] = None
        return value

    def counted(self, value: str) -> str:
        """Return what the label says for a series that counts, and keep the value's place for good."""
        label = self.expected(value)
        self._counted.add(label)
        return label
