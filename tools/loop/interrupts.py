"""What ends the loop before its end: Ctrl-C, a terminal that is closed, a process that is told to end."""

import signal
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class EndedError(BaseException):
    """A signal asks to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def end_by_signals() -> None:
    """Let each of the signals raise EndedError from now on."""
    for number in SIGNALS:
        signal.signal(number, _end)


def ignore_signals() -> None:
    """Let nothing disturb the tidying up."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def uninterrupted() -> Generator[None]:
    """Hold a signal back while something is begun that has to be noted, so that it can be ended."""
    noted: list[int] = []
    for number in SIGNALS:
        signal.signal(number, lambda got, _: noted.append(got))
    try:
        yield
    finally:
        end_by_signals()
    if noted:
        signal.raise_signal(noted[0])


def _end(number: int, _: FrameType | None) -> None:
    raise EndedError(number)
