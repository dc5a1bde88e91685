"""Bounds over all client connections: their number, their bytes, and how long each may wait."""

import asyncio
import resource
import select
from dataclasses import dataclass
from typing import Any, Protocol

from canopy.base.errors import CanopyError
from canopy.base.settings import Settings
from canopy.telemetry import Telemetry
from canopy.telemetry.http_events import ConnectionsLimited, RequestRefused

# Files that the process opens besides client and model connections: the store, the log, libraries.
_OTHER_FILES = 128
_SHORT = 16_384  # bytes of a body that may use the reserve beyond long bodies' share
# Always answered, or Kubernetes would restart a process that is merely busy.
_PROBES = frozenset({b"/healthz", b"/readyz"})

# Linux reports when a client has closed its side; other systems only when the whole connection is gone.
_HANG_UP = getattr(select, "POLLRDHUP", select.POLLHUP)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds of one connection. Times are in seconds."""

    head_bytes: int
    head_timeout: float
    idle_timeout: int


class ManagedConnection(Protocol):
    """What `Connections` needs of a connection."""

    transport: Any
    flow: Any  # uvicorn's
    running: Any  # the request in progress, also one whose client has gone

    def check(self, now: float) -> None:
        """Close the connection if it has waited too long; `now` is the event loop's time."""

    def abort(self) -> None:
        """Close at once, to make room for another connection."""

    def give_up_request(self) -> None:
        """Drop what is held for the client: an incomplete request, or an unread answer."""


class Connections:
    """All open connections; idle ones are in the order in which they became idle.

    Number: a new connection beyond the limit closes the one idle for longest. Requests in progress may use all but a
    sixteenth of the places, so that there is always an idle connection to close. A request beyond that closes the one
    whose body has been incomplete for longest, and is refused if all bodies are complete; probes are always served. A
    request keeps its place until the application has ended it, even if its client has gone.

    Bytes: request bodies and unread answers share one bound. Beyond it, the client slowest to send or to read loses its
    request. A body counts until its request has ended; short bodies have a reserve that long ones can't use.
    """

    def __init__(self, settings: Settings, telemetry: Telemetry) -> None:
        self.bounds = Bounds(settings.max_head_bytes, settings.head_timeout_seconds, settings.idle_timeout_seconds)
        self._telemetry = telemetry
        self._limit = limit = _within_open_files(settings, telemetry)
        self._most_in_progress = limit - max(1, limit // 16)
        self._interval = min(1, settings.head_timeout_seconds / 4, settings.idle_timeout_seconds / 4)
        self._open: set[ManagedConnection] = set()
        self._waiting: dict[ManagedConnection, None] = {}
        self._arriving: dict[ManagedConnection, None] = {}  # with an incomplete request body
        self._left: set[ManagedConnection] = set()  # gone, while the application still handles its request
        self._most_held = max(settings.max_held_bytes, 2 * settings.max_body_bytes)
        self._most_long = max(self._most_held * 7 // 8, 2 * settings.max_body_bytes)
        self._held = 0  # bytes: the sum of the values of `_holding`
        self._holding: dict[ManagedConnection, int] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, connection: ManagedConnection) -> None:
        """Add a new connection, which waits for its first request."""
        self._open.add(connection)
        self._telemetry.metrics.process.connections.inc()  # shared by all listeners
        self._waiting[connection] = None
        if len(self._open) > self._limit:
            longest = next(iter(self._waiting))
            self.remove(longest)
            longest.abort()
            self.count_ended("evicted")
        if self._timer is None:
            self._schedule_check()

    def remove(self, connection: ManagedConnection) -> None:
        """Remove a connection; removing it twice is harmless."""
        self._waiting.pop(connection, None)
        self._arriving.pop(connection, None)
        if connection.running is None:
            self._release(connection)
        else:
            self._left.add(connection)
        if connection in self._open:
            self._open.remove(connection)
            self._telemetry.metrics.process.connections.dec()

    def mark_idle(self, connection: ManagedConnection) -> None:
        """Note that no request is in progress on the connection."""
        self._arriving.pop(connection, None)
        if connection in self._open:
            self._waiting[connection] = None

    def mark_busy(self, connection: ManagedConnection) -> None:
        """Note that a request is in progress on the connection."""
        self._waiting.pop(connection, None)

    def mark_request_ended(self, connection: ManagedConnection) -> None:
        """Note that the application has ended the request in progress; frees the place of a client that has gone."""
        self._left.discard(connection)
        if connection not in self._open:
            self._release(connection)

    def mark_receiving(self, connection: ManagedConnection) -> None:
        """Note that the request in progress is incomplete."""
        self._arriving[connection] = None

    def mark_received(self, connection: ManagedConnection) -> None:
        """Note that the request in progress is complete."""
        self._arriving.pop(connection, None)

    def reserve(self, connection: ManagedConnection, size: int) -> bool:
        """Set how many bytes are held for a client. False if this connection has to be given up."""
        if connection not in self._open or not size:
            self._release(connection)
            return True
        self._held += size - self._holding.get(connection, 0)
        self._holding[connection] = size
        most = self._most_held if size <= _SHORT else self._most_long
        while self._held > most:
            waited_for = (it for it in self._holding if it in self._arriving or it in self._waiting)
            longest = next(waited_for, connection)
            self._release(longest)
            self.count_ended("held")
            if longest is connection:
                return False
            longest.give_up_request()
        return True

    def admits(self, connection: ManagedConnection, path: bytes) -> bool:
        """Return whether a request for the path may begin on the connection."""
        in_progress = len(self._open) - len(self._waiting) + (connection in self._waiting) + len(self._left)
        if in_progress <= self._most_in_progress or path in _PROBES:
            return True
        longest = next(iter(self._arriving), None)
        if longest is not None:
            longest.give_up_request()
        return longest is not None

    def report_refusal(self, error: CanopyError, request_id: str) -> None:
        """Log a request that was refused before the application saw it."""
        self._telemetry.emit(RequestRefused(error.status, error.code, request_id))

    def count_ended(self, reason: str) -> None:
        """Count a connection that was closed without an answer; `reason` is the metric's label."""
        self._telemetry.metrics.process.connections_ended.labels(reason).inc()

    def _release(self, connection: ManagedConnection) -> None:
        self._held -= self._holding.pop(connection, 0)

    def _schedule_check(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._interval, self._check_all) if self._open else None

    def _check_all(self) -> None:
        now = asyncio.get_running_loop().time()
        for connection in tuple(self._open):
            if connection.flow.read_paused and _client_has_gone(connection.transport):
                connection.transport.abort()
            else:
                connection.check(now)
        self._schedule_check()


def _client_has_gone(transport: Any) -> bool:
    """Return whether the client has closed its side, which isn't reported while reading is paused."""
    look = select.poll()
    look.register(transport.get_extra_info("socket").fileno(), _HANG_UP)
    return bool(look.poll(0))


def _within_open_files(settings: Settings, telemetry: Telemetry) -> int:
    """Return the number of connections from the settings, or fewer if the limit of open files requires that."""
    wanted = settings.max_connections
    others = _OTHER_FILES + settings.max_generations
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted + others:
        return wanted
    allowed = wanted + others if hard == resource.RLIM_INFINITY else min(hard, wanted + others)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    possible = min(wanted, max(allowed - others, allowed // 2))
    if possible < wanted:
        telemetry.emit(ConnectionsLimited(wanted, possible, allowed))
    return possible
