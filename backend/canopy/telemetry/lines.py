"""Lines to standard output, from which nobody who writes one ever waits or fails.

A log's reader may be slow, stopped or gone, and its disk full: that must not hold up a vote, a probe or the end. A line
that the system takes at once is written at once, so that it is out before the answer that it is about. Others wait, up
to a bound, for a thread of their own; what is beyond the bound or can't be written is counted.
"""

import contextlib
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from io import UnsupportedOperation
from typing import BinaryIO

# What POSIX promises to write in one piece to a pipe that takes anything; a longer line might block.
_AT_ONCE = select.PIPE_BUF
_MOST = 8 * 1024 * 1024  # bytes that wait


class Lines:
    """Writes lines to a stream: by its descriptor, or what has none (a buffer) directly. None: everything is lost.

    It may be used by several threads.
    """

    def __init__(self, stream: BinaryIO | None, lost: Callable[[], None]) -> None:
        """`lost` is called for each line that is given up, in whatever thread."""
        self._stream = stream
        self._lost = lost
        self._descriptor: int | None = None
        with contextlib.suppress(UnsupportedOperation):
            self._descriptor = None if stream is None else stream.fileno()
        # A terminal that somebody has stopped takes nothing, and doesn't say so before.
        self._at_once = self._descriptor is None or not os.isatty(self._descriptor)
        if self._descriptor is not None:
            self._takes = select.poll()
            self._takes.register(self._descriptor, select.POLLOUT)
        self._changed = threading.Condition()
        self._waiting: deque[bytes] = deque()
        self._bytes = 0  # of those that wait, the one that the thread is writing included
        self._thread: threading.Thread | None = None

    def write(self, line: bytes) -> None:
        """Write the line and its end."""
        line += b"\n"
        with self._changed:
            if not self._bytes:
                line = self._write_at_once(line)
            if not line:
                return
            if self._bytes + len(line) > _MOST:
                self._lost()
                return
            self._bytes += len(line)
            self._waiting.append(line)
            if self._thread is None:
                self._thread = threading.Thread(target=self._write_waiting, name="canopy-log", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def close(self, seconds: float | None) -> None:
        """Wait until all is written, at most `seconds`; None waits as long as it takes."""
        with self._changed:
            self._changed.wait_for(lambda: not self._bytes, seconds)

    def _write_at_once(self, line: bytes) -> bytes:
        """Return the part of the line that is still to be written: nothing, where it was written or can't be."""
        try:
            if self._descriptor is not None:
                if not self._at_once or len(line) > _AT_ONCE or not self._takes.poll(0):
                    return line
                return line[os.write(self._descriptor, line) :]
            if self._stream is None:
                self._lost()
            else:
                self._stream.write(line)
        except BlockingIOError:  # another process, to which the same pipe belongs, made it so
            return line
        except (OSError, ValueError):
            self._lost()
        return b""

    def _write_waiting(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting)
                line = self._waiting.popleft()
            self._write_whole(line)
            with self._changed:
                self._bytes -= len(line)
                self._changed.notify_all()

    def _write_whole(self, line: bytes) -> None:
        assert self._descriptor is not None  # noqa: S101  # for the type checker: what waits has one
        rest = memoryview(line)
        while rest:
            try:
                self._takes.poll()
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                time.sleep(0.01)  # it takes less than this line
            except OSError:
                self._lost()
                return
