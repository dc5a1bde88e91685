"""Standard streams that tolerate closed, missing and full outputs.

The reader of the output may leave at any time (`| head`), may be missing (`>&-`), or the disk may be full. The first
two are no errors, and the third is reported once. Python's own streams raise in each case, even at exit.
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
    """Discards writes once the reader has gone. Other failures are raised once, unless `loses` is true."""

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
            while (written := super().write(data)) is None:  # a non-blocking pipe
                select.select([], [self], [])
        except OSError as error:
            self.is_over = error.errno == errno.EPIPE or not self.loses
            if self.loses or error.errno == errno.EPIPE:
                return size
            raise OSError(error.errno, error.strerror, "standard output") from error
        return written


# By file descriptor, once replaced.
_raw: dict[int, _Output] = {}
_texts: dict[int, io.TextIOWrapper] = {}


def replace_standard_streams() -> None:
    """Replace Python's standard streams, unless the caller of the command has replaced them already."""
    for fd in _STANDARD:
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # occupies the lowest free descriptor, which the next opened file would get
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - a descriptor, and for good
    if sys.stdout is sys.__stdout__:
        sys.stdout = _text(1, sys.stdout, loses=False)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _text(2, sys.stderr, loses=True)  # failures on standard error can't be reported


def _text(fd: int, before: io.TextIOBase | None, *, loses: bool) -> io.TextIOWrapper:
    _raw[fd] = _Output(fd, loses=loses)
    encoding = getattr(before, "encoding", "utf-8")
    # Characters that the encoding lacks are escaped.
    writer = io.BufferedWriter(_raw[fd])
    _texts[fd] = io.TextIOWrapper(writer, encoding, "backslashreplace", line_buffering=True)
    return _texts[fd]


def flush_streams() -> None:
    """Flush the streams, raising errors here rather than at exit, where nobody catches them."""
    if 1 in _texts:
        _texts[1].flush()


def ignore_output_failures() -> None:
    """Keep running if output can't be written: a server's requests must not fail with its log."""
    if 1 in _raw:
        _raw[1].loses = True


def discard_output() -> None:
    """Discard further standard output, because a stopped reader could block it for ever."""
    if 1 in _raw:
        _raw[1].is_over = True
