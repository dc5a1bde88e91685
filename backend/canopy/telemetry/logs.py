"""The log: one JSON object per line on standard output, Canopy's own events and every library's alike."""

import logging
import sys
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, BinaryIO

import structlog

from canopy import jsonlines
from canopy.addresses import without_credentials
from canopy.telemetry.events import Event, Level

# The trace of the request that is being served, for the lines of libraries that don't know it.
current_trace_id: ContextVar[str | None] = ContextVar("current_trace_id", default=None)

_LEVELS: dict[Level, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40}
# They tell of every request at `info`; Canopy's own events say it once.
_CHATTY = ("httpx", "httpcore", "aiohttp.access", "uvicorn.access", "uvicorn.error", "alembic", "llama_stack_client")


class Logs:
    """The lines at and above a level, each written with one call to a binary stream.

    `capture` sends the standard library's logging, warnings and uncaught exceptions through the same stream.
    """

    def __init__(self, level: Level = "info", stream: BinaryIO | None = None) -> None:
        self._threshold = _LEVELS[level]
        self._output = structlog.BytesLogger(stream or sys.stdout.buffer)

    def emit(self, event: Event) -> None:
        """Write the event's line."""
        self._line(event.level, event.name, event.payload())

    def _line(self, level: Level, name: str, fields: dict[str, Any]) -> None:
        # structlog's bound loggers and processors would cost three times the rest, and there is nothing to bind.
        if _LEVELS[level] >= self._threshold:
            line = {"timestamp": datetime.now(UTC), "level": level, "event": name, **fields}
            self._output.msg(jsonlines.dump(line))

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
        """Write a library's record under the static event name `library_log`."""
        fields: dict[str, Any] = {"logger": record.name, "message": _storable(record.getMessage())}
        if trace_id := current_trace_id.get():
            fields["trace_id"] = trace_id
        if record.exc_info and record.exc_info[0]:
            fields["exception"] = _storable("".join(traceback.format_exception(*record.exc_info)))
        level: Level = "error" if record.levelno >= 40 else "warning" if record.levelno >= 30 else "info"
        self._line(level, "library_log", fields)

    def _uncaught(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            return
        text = _storable("".join(traceback.format_exception(kind, error, trace)))
        self._line("error", "process_crashed", {"error": kind.__name__, "exception": text})


def _storable(text: str) -> str:
    """A library's text without passwords in addresses, with escapes for halves of characters: JSON can't hold them."""
    return without_credentials(text.encode("utf-8", "backslashreplace").decode())


class _Handler(logging.Handler):
    def __init__(self, logs: Logs) -> None:
        super().__init__()
        self._logs = logs

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._logs.library(record)
        except Exception:  # noqa: BLE001 - logging's own contract: a bad record must not end what logged it
            self.handleError(record)
