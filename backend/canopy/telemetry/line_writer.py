"""Writes lines to a stream without ever blocking or failing.

The reader of a log may be slow, stopped or gone, and its disk full; that must not delay a request or the process's
end. A line is written at once if the system accepts it, so that it is out before the response that it is about. Other
lines wait, up to a bound, for a background thread. Lines beyond the bound, or that can't be written, count as lost.
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

# What POSIX guarantees to write in one piece to a writable pipe; a longer line might block.
_AT_ONCE = select.PIPE_BUF
_MOST = 8 * 1024 * 1024  # bytes of waiting lines


class LineWriter:
    """Writes lines to a stream, by its file descriptor if it has one. With the stream None all lines are lost.

    Thread-safe.
    """

    def __init__(self, stream: BinaryIO | None, lost: Callable[[], None]) -> None:
        """`lost` is called for each lost line, in any thread."""
        self._stream = stream
        self._lost = lost
        self._descriptor: int | None = None
        with contextlib.suppress(UnsupportedOperation):
            self._descriptor = None if stream is None else stream.fileno()
        # A paused terminal (Ctrl-S) blocks writes, and `poll` doesn't show it.
        self._at_once = self._descriptor is None or not os.isatty(self._descriptor)
        if self._descriptor is not None:
            self._takes = select.poll()
            self._takes.register(self._descriptor, select.POLLOUT)
        self._changed = threading.Condition()
        self._waiting: deque[bytes] = deque()
        self._bytes = 0  # of waiting lines, with the one that the thread is writing
        self._thread: threading.Thread | None = None

    def write(self, line: bytes) -> None:
        """Write the line and a line feed."""
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
        """Wait until all lines are written, at most `seconds`; None waits without a limit."""
        with self._changed:
            self._changed.wait_for(lambda: not self._bytes, seconds)

    def _write_at_once(self, line: bytes) -> bytes:
        """Write what the system accepts now; return the rest, which is empty if the line is lost."""
        try:
            if self._descriptor is not None:
                if not self._at_once or len(line) > _AT_ONCE or not self._takes.poll(0):
                    return line
                return line[os.write(self._descriptor, line) :]
            if self._stream is None:
                self._lost()
            else:
                self._stream.write(line)
        except BlockingIOError:  # another process has made the shared pipe non-blocking
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
        assert self._descriptor is not None  # noqa: S101  # for the type checker: only lines for a descriptor wait
        rest = memoryview(line)
        while rest:
            try:
                self._takes.poll()
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                time.sleep(0.01)  # the pipe has room for less than this line
            except OSError:
                self._lost()
                return
