"""The log: one JSON object per line on standard output, Canopy's own events and every library's alike."""

import logging
import sys
import time
import traceback
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, BinaryIO

from canopy.telemetry.events import Event, Level
from canopy.telemetry.lines import Lines
from canopy.text import json_lines
from canopy.text.addresses import without_credentials

# The trace of the request that is being served, for the lines of libraries that don't know it.
current_trace_id: ContextVar[str | None] = ContextVar("current_trace_id", default=None)

_LEVELS: dict[Level, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40}
# They tell of every request at `info`; Canopy's own events say it once.
_CHATTY = ("httpx", "httpcore", "aiohttp.access", "uvicorn.access", "uvicorn.error", "alembic", "llama_stack_client")
_LONGEST = 8_000  # characters of a library's message, and of a traceback
_MOST_LINES = 50  # of one logger in a second


class Logs:
    """Writes the lines at and above a level to a binary stream. That never fails and never waits: see `Lines`.

    `capture` sends the standard library's logging, warnings and uncaught exceptions through the same stream.
    """

    def __init__(self, level: Level = "info", stream: BinaryIO | None = None) -> None:
        self._threshold = _LEVELS[level]
        # Python has no standard output where the process was started without one.
        self._lines = Lines(stream or (sys.stdout.buffer if sys.stdout else None), self._lost)
        self._share = _LogShare()
        self.lost: Callable[[], None] = lambda: None  # is called for each line that could not be written

    def emit(self, event: Event) -> None:
        """Write the event's line."""
        self._line(event.level, event.name, event.payload())

    def _line(self, level: Level, name: str, fields: dict[str, Any]) -> None:
        if _LEVELS[level] >= self._threshold:
            line = {"timestamp": datetime.now(UTC), "level": level, "event": name, **fields}
            self._lines.write(json_lines.dump(line))

    def _lost(self) -> None:
        self.lost()

    def close(self, seconds: float | None) -> None:
        """Wait until a slow reader has the last lines, at most for these seconds; None waits as long as it takes."""
        self._lines.close(seconds)

    def capture(self) -> None:
        """Take over the process's logging."""
        root = logging.getLogger()
        root.handlers[:] = [_Handler(self)]
        root.setLevel(self._threshold)
        for name in logging.root.manager.loggerDict:
            library = logging.getLogger(name)
            library.handlers.clear()
            library.propagate = True
        for name in _CHATTY:
            logging.getLogger(name).setLevel(max(self._threshold, logging.WARNING))
        logging.captureWarnings(True)
        sys.excepthook = self._uncaught

    def library(self, record: logging.LogRecord) -> None:
        """Write a library's record under the static event name `library_log`.

        Libraries quote what clients send: a line has a longest length, and a logger a number of lines in a second.
        """
        left_out = self._share.take(record.name)
        if left_out is None:
            return
        fields: dict[str, Any] = {"logger": record.name, "message": _storable(record.getMessage())}
        if left_out:
            fields["left_out"] = left_out
        if trace_id := current_trace_id.get():
            fields["trace_id"] = trace_id
        if record.exc_info and record.exc_info[0]:
            fields["exception"] = _storable("".join(traceback.format_exception(*record.exc_info)), keep_end=True)
        level: Level = "error" if record.levelno >= 40 else "warning" if record.levelno >= 30 else "info"
        self._line(level, "library_log", fields)

    def _uncaught(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            return
        text = _storable("".join(traceback.format_exception(kind, error, trace)), keep_end=True)
        self._line("error", "process_crashed", {"error": kind.__name__, "exception": text})


class _LogShare:
    """Limits each logger to `_MOST_LINES` lines a second."""

    def __init__(self) -> None:
        self._seconds: dict[str, tuple[int, int]] = {}  # of each logger: which second it is, and the lines in it

    def take(self, logger: str) -> int | None:
        """Return None where the line is one too many, else how many lines were, in the second of its last line."""
        now = int(time.monotonic())
        second, lines = self._seconds.get(logger, (now, 0))
        left_out = 0
        if second != now:
            left_out, lines = max(lines - _MOST_LINES, 0), 0
        self._seconds[logger] = (now, lines + 1)
        return None if lines >= _MOST_LINES else left_out


def _storable(text: str, *, keep_end: bool = False) -> str:
    """A library's text without passwords in addresses, with escapes for halves of characters: JSON can't hold them.

    It is shortened after that, lest half of an address be left; the last of a traceback says the most.
    """
    text = without_credentials(text.encode("utf-8", "backslashreplace").decode())
    if len(text) <= _LONGEST:
        return text
    return f"…{text[1 - _LONGEST :]}" if keep_end else f"{text[: _LONGEST - 1]}…"


class _Handler(logging.Handler):
    def __init__(self, logs: Logs) -> None:
        super().__init__()
        self._logs = logs

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._logs.library(record)
        except Exception:  # noqa: BLE001 - logging's own contract: a bad record must not end what logged it
            self.handleError(record)
