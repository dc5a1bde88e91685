"""All connections of clients together: how many there may be, who makes room, and how long each may wait."""

import asyncio
import resource
import select
from dataclasses import dataclass
from typing import Any, Protocol

from canopy.base.errors import CanopyError
from canopy.base.settings import Settings
from canopy.telemetry import Telemetry
from canopy.telemetry.connection_events import ConnectionsLimited, RequestRefused

# What the process opens besides its clients' connections: the store, log, libraries, and one connection per generation.
_OTHER_FILES = 128
_SHORT = 16_384  # bytes of a body that finds room where long ones have used up theirs
# Always answered, or a process that is merely busy would be taken for a dead one and ended with all its streams.
_PROBES = frozenset({b"/healthz", b"/readyz"})

# Linux tells when a client has ended its side; elsewhere only when the connection is gone as a whole.
_HANG_UP = getattr(select, "POLLRDHUP", select.POLLHUP)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one connection may take. Times are in seconds."""

    head_bytes: int
    head_timeout: float
    idle_timeout: int


class Connected(Protocol):
    """A connection, as far as it has to be kept within bounds."""

    transport: Any
    flow: Any  # uvicorn's
    running: Any  # the request in progress, also one whose client has gone

    def check(self, now: float) -> None:
        """End what has waited for too long; `now` is the loop's time."""

    def make_room(self) -> None:
        """End at once, for another connection."""

    def make_way(self) -> None:
        """Give up what is held for the client: a request that isn't whole, or an answer that it doesn't read."""


class Connections:
    """Every open connection, those without a request in progress in the order in which they began to wait.

    There are never more than the settings allow. A new one ends the one that has waited longest. A sixteenth of all
    places is kept from requests in progress, so that there is one that waits. A request beyond that ends the one whose
    body has been on its way for longest, and is refused where every body has arrived; probes are not. A request keeps
    its place until it has ended, also where its client has gone.

    Bodies, and answers that wait for their readers, have a bound in bytes, all together. What would go beyond it ends
    whoever has been slowest to send or to read. A body counts until its request has ended, whether its client stays or
    goes; what is short finds some room behind what is long.
    """

    def __init__(self, settings: Settings, telemetry: Telemetry) -> None:
        self.bounds = Bounds(settings.max_head_bytes, settings.head_timeout, settings.idle_timeout)
        self._telemetry = telemetry
        self._limit = limit = _within_open_files(settings, telemetry)
        self._most_in_progress = limit - max(1, limit // 16)
        self._interval = min(1, settings.head_timeout / 4, settings.idle_timeout / 4)
        self._open: set[Connected] = set()
        self._waiting: dict[Connected, None] = {}
        self._arriving: dict[Connected, None] = {}  # with a request in progress whose body isn't whole
        self._left: set[Connected] = set()  # gone, with a request that the application has yet to end
        self._most_held = max(settings.max_held_bytes, 2 * settings.max_body_bytes)
        self._most_long = max(self._most_held * 7 // 8, 2 * settings.max_body_bytes)
        self._held = 0  # bytes, the sum of what follows
        self._holding: dict[Connected, int] = {}
        self._timer: asyncio.TimerHandle | None = None

    def opened(self, connection: Connected) -> None:
        """Take a new connection in, which waits for its first request."""
        self._open.add(connection)
        self._telemetry.metrics.process.connections.inc()  # each listener has its own connections, and the metric all
        self._waiting[connection] = None
        if len(self._open) > self._limit:
            longest = next(iter(self._waiting))
            self.closed(longest)
            longest.make_room()
            self.count("evicted")
        if self._timer is None:
            self._look_later()

    def closed(self, connection: Connected) -> None:
        """Forget a connection; one that is forgotten already may end again."""
        self._waiting.pop(connection, None)
        self._arriving.pop(connection, None)
        if connection.running is None:
            self._let_go(connection)
        else:
            self._left.add(connection)
        if connection in self._open:
            self._open.remove(connection)
            self._telemetry.metrics.process.connections.dec()

    def waits(self, connection: Connected) -> None:
        """Note that no request is in progress on the connection."""
        self._arriving.pop(connection, None)
        if connection in self._open:
            self._waiting[connection] = None

    def works(self, connection: Connected) -> None:
        """Note that a request is in progress on the connection."""
        self._waiting.pop(connection, None)

    def ended(self, connection: Connected) -> None:
        """Note that the application has ended the request in progress: what a client that has gone left is free."""
        self._left.discard(connection)
        if connection not in self._open:
            self._let_go(connection)

    def arrives(self, connection: Connected) -> None:
        """Note that the request in progress isn't whole: the connection waits for its client."""
        self._arriving[connection] = None

    def arrived(self, connection: Connected) -> None:
        """Note that the request in progress is whole."""
        self._arriving.pop(connection, None)

    def holds(self, connection: Connected, size: int) -> bool:
        """Note how many bytes are held for a client. False when it is this one that has to make way."""
        if connection not in self._open or not size:
            self._let_go(connection)
            return True
        self._held += size - self._holding.get(connection, 0)
        self._holding[connection] = size
        most = self._most_held if size <= _SHORT else self._most_long
        while self._held > most:
            waited_for = (it for it in self._holding if it in self._arriving or it in self._waiting)
            longest = next(waited_for, connection)
            self._let_go(longest)
            self.count("held")
            if longest is connection:
                return False
            longest.make_way()
        return True

    def may_work(self, connection: Connected, path: bytes) -> bool:
        """Whether a request for the path may begin on the connection."""
        in_progress = len(self._open) - len(self._waiting) + (connection in self._waiting) + len(self._left)
        if in_progress <= self._most_in_progress or path in _PROBES:
            return True
        longest = next(iter(self._arriving), None)
        if longest is not None:
            longest.make_way()
        return longest is not None

    def refused(self, error: CanopyError, request_id: str) -> None:
        """Report a request that never became one."""
        self._telemetry.emit(RequestRefused(error.status, error.code, request_id))

    def count(self, reason: str) -> None:
        """Count a connection that was ended without an answer; `reason` is one of a few words."""
        self._telemetry.metrics.process.connections_ended.labels(reason).inc()

    def _let_go(self, connection: Connected) -> None:
        self._held -= self._holding.pop(connection, 0)

    def _look_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._interval, self._look) if self._open else None

    def _look(self) -> None:
        now = asyncio.get_running_loop().time()
        for connection in tuple(self._open):
            if connection.flow.read_paused and _hung_up(connection.transport):
                connection.transport.abort()
            else:
                connection.check(now)
        self._look_later()


def _hung_up(transport: Any) -> bool:
    """Whether the client has gone: while nothing is read from it, since more of it waits already, nobody is told."""
    look = select.poll()
    look.register(transport.get_extra_info("socket").fileno(), _HANG_UP)
    return bool(look.poll(0))


def _within_open_files(settings: Settings, telemetry: Telemetry) -> int:
    """As many connections as the settings want, or fewer where the system allows the process too few open files."""
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
