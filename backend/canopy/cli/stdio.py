"""Standard input, output and error as a command needs them, whatever became of them.

Whoever reads the output may go at any time (`| head`), may never have been there (`>&-`), or may have no room: the
first two are no errors, and the third is one, said once. Python's own streams raise at each, at the very end as well.
"""

import errno
import io
import os
import select
import sys
from collections.abc import Buffer
from typing import override

_STANDARD = (0, 1, 2)


class _Output(io.FileIO):
    """Takes everything once the reader has gone. Of other failures the first one is raised, unless it `loses` what
    can't be written.
    """

    def __init__(self, fd: int, *, loses: bool) -> None:
        super().__init__(fd, "wb", closefd=False)
        self.loses = loses
        self.is_over = False

    @override
    def write(self, data: Buffer, /) -> int:
        size = memoryview(data).nbytes
        if self.is_over:
            return size
        try:
            while (written := super().write(data)) is None:  # somebody made a pipe of it that doesn't wait
                select.select([], [self], [])
        except OSError as error:
            self.is_over = error.errno == errno.EPIPE or not self.loses
            if self.loses or error.errno == errno.EPIPE:
                return size
            raise OSError(error.errno, error.strerror, "standard output") from error
        return written


# By descriptor, once they are taken over.
_raw: dict[int, _Output] = {}
_texts: dict[int, io.TextIOWrapper] = {}


def take_over() -> None:
    """Put streams that bear all this in the place of Python's, unless a caller of the command has put its own there."""
    for fd in _STANDARD:
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free, or the next file would have it
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - a descriptor, and for good
    if sys.stdout is sys.__stdout__:
        sys.stdout = _text(1, sys.stdout, loses=False)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _text(2, sys.stderr, loses=True)  # there is nobody to tell


def _text(fd: int, before: io.TextIOBase | None, *, loses: bool) -> io.TextIOWrapper:
    _raw[fd] = _Output(fd, loses=loses)
    encoding = getattr(before, "encoding", "utf-8")
    # What another encoding has no sign for is shown as an escape.
    writer = io.BufferedWriter(_raw[fd])
    _texts[fd] = io.TextIOWrapper(writer, encoding, "backslashreplace", line_buffering=True)
    return _texts[fd]


def finish() -> None:
    """Write what still waits, and raise here what would otherwise be raised when nobody catches it."""
    if 1 in _texts:
        _texts[1].flush()


def lose_what_is_not_written() -> None:
    """Go on although nobody keeps the output: a server's requests don't fail with its log."""
    if 1 in _raw:
        _raw[1].loses = True


def drop_the_rest() -> None:
    """Write nothing more to standard output, which a stopped reader could hold up for ever."""
    if 1 in _raw:
        _raw[1].is_over = True
