"""The log: one JSON object per line on standard output, for Canopy's events and for libraries' log records."""

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
from canopy.telemetry.line_writer import LineWriter
from canopy.text import json_lines
from canopy.text.addresses import without_credentials

# The trace id of the request being served, for the log records of libraries.
current_trace_id: ContextVar[str | None] = ContextVar("current_trace_id", default=None)

_LEVELS: dict[Level, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40}
# They log every request at `info`, which Canopy's own events do already.
_CHATTY = ("httpx", "httpcore", "aiohttp.access", "uvicorn.access", "uvicorn.error", "alembic", "llama_stack_client")
_LONGEST = 8_000  # characters of a library's message, and of a traceback
_MOST_LINES = 50  # of one logger in a second


class Logs:
    """Writes events at or above a level to a binary stream, without blocking or failing (see `LineWriter`).

    `capture` sends the standard library's logging, warnings and uncaught exceptions to the same stream.
    """

    def __init__(self, level: Level = "info", stream: BinaryIO | None = None) -> None:
        self._threshold = _LEVELS[level]
        # Python has no standard output where the process was started without one.
        self._lines = LineWriter(stream or (sys.stdout.buffer if sys.stdout else None), self._lost)
        self._line_limit = _LineLimit()
        self.lost: Callable[[], None] = lambda: None  # called for each lost line

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
        """Wait until all lines are written, at most `seconds`; None waits without a limit."""
        self._lines.close(seconds)

    def capture(self) -> None:
        """Replace the handlers of every logger, and log warnings and uncaught exceptions."""
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

    def emit_record(self, record: logging.LogRecord) -> None:
        """Write a library's log record as the event `library_log`.

        Libraries quote what clients send, so a message's length and a logger's lines per second are limited.
        """
        left_out = self._line_limit.take(record.name)
        if left_out is None:
            return
        fields: dict[str, Any] = {"logger": record.name, "message": _cleaned(record.getMessage())}
        if left_out:
            fields["left_out"] = left_out
        if trace_id := current_trace_id.get():
            fields["trace_id"] = trace_id
        if record.exc_info and record.exc_info[0]:
            fields["exception"] = _cleaned("".join(traceback.format_exception(*record.exc_info)), keep_end=True)
        level: Level = "error" if record.levelno >= 40 else "warning" if record.levelno >= 30 else "info"
        self._line(level, "library_log", fields)

    def _uncaught(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            return
        text = _cleaned("".join(traceback.format_exception(kind, error, trace)), keep_end=True)
        self._line("error", "process_crashed", {"error": kind.__name__, "exception": text})


class _LineLimit:
    """Limits each logger to `_MOST_LINES` lines per second."""

    def __init__(self) -> None:
        self._seconds: dict[str, tuple[int, int]] = {}  # by logger: the second, and the lines in it

    def take(self, logger: str) -> int | None:
        """Count a line. Return None if it is one too many, else how many lines were left out before it."""
        now = int(time.monotonic())
        second, lines = self._seconds.get(logger, (now, 0))
        left_out = 0
        if second != now:
            left_out, lines = max(lines - _MOST_LINES, 0), 0
        self._seconds[logger] = (now, lines + 1)
        return None if lines >= _MOST_LINES else left_out


def _cleaned(text: str, *, keep_end: bool = False) -> str:
    """Return a library's text without credentials in URLs, with surrogates escaped, and shortened to `_LONGEST`.

    Shortening comes last, since half a URL could hide that it has credentials. `keep_end` keeps the text's end, which
    in a traceback says the most.
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
            self._logs.emit_record(record)
        except Exception:  # noqa: BLE001 - logging's own contract: a bad record must not end what logged it
            self.handleError(record)
