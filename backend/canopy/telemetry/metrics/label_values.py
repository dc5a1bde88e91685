"""The values of labels: lists that are known beforehand, and bounds on those that are not."""

from collections.abc import Iterable, Iterator

from canopy.base.errors import CanopyError, ConfigError, ModelError, PromptTooLong, ShuttingDown

OTHER = "_OTHER"  # OpenTelemetry's value for everything that has no series of its own

# The values file has up to 21 features at a time, each with its chat; people also vote on answers of former ones.
MOST_FEATURE_LABELS = 60


def _server_error_codes(kind: type[CanopyError]) -> Iterator[str]:
    """Yield the codes of an error class and its subclasses whose HTTP status is 500 or above."""
    if kind.status >= 500 and not issubclass(kind, ConfigError):  # which ends the process before it listens
        yield kind.code
    for more in kind.__subclasses__():
        yield from _server_error_codes(more)


MODEL_ERROR_CODES = tuple(dict.fromkeys(_server_error_codes(ModelError)))
# Of generations that fail: beside the model's errors a text that is too long for it, an interruption, and a defect.
GENERATION_ERROR_CODES = (*MODEL_ERROR_CODES, PromptTooLong.code, ShuttingDown.code, CanopyError.code)
SERVER_ERROR_CODES = tuple(dict.fromkeys(_server_error_codes(CanopyError)))


class LabelValues:
    """Bounds how many values of one label have series of their own; all further values share the label `_OTHER`.

    A value keeps its series for good once something was counted under it: removing a counter loses what it counted
    since the last scrape. A value with nothing counted, which the configuration no longer has, is evicted when another
    value needs its slot.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: dict[str, None] = {}  # first the value that left the configuration the longest ago
        self._counted: set[str] = set()

    def expect(self, configured: Iterable[str]) -> list[str]:
        """Give each configured value a slot, as far as there are any; return the evicted values.

        The caller removes the evicted values' series, which are all at 0.
        """
        in_force = dict.fromkeys(configured)
        missing = len(in_force.keys() - self._values.keys()) + len(self._values) - self._most
        idle = [it for it in self._values if it not in in_force and it not in self._counted]
        evicted = idle[: max(0, missing)]
        for value in evicted:
            del self._values[value]
        for value in in_force:
            if value in self._values:
                del self._values[value]  # to be the last
            self.label(value)
        return evicted

    def label(self, value: str) -> str:
        """Return the label of a series that is created at 0: the value itself, or `_OTHER` if no slot is left."""
        if value in self._values:
            return value
        if len(self._values) >= self._most:
            return OTHER
        self._values[value] = None
        return value

    def counted_label(self, value: str) -> str:
        """Return the label of a series that is about to count, and keep the value's slot for good."""
        label = self.label(value)
        self._counted.add(label)
        return label
