"""The codes of errors that metrics are counted by, so that their series are there from the start."""

from collections.abc import Iterator

from canopy.base.errors import CanopyError, ConfigError, ModelError


def _codes(kind: type[CanopyError]) -> Iterator[str]:
    """Yield the codes of an error and its subclasses that have a status of 500 or above."""
    if kind.status >= 500 and not issubclass(kind, ConfigError):  # which ends the process before it listens
        yield kind.code
    for more in kind.__subclasses__():
        yield from _codes(more)


MODEL_ERRORS = tuple(dict.fromkeys(_codes(ModelError)))
SERVER_ERRORS = tuple(dict.fromkeys(_codes(CanopyError)))
