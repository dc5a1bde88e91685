"""Events about HTTP requests and connections."""

from dataclasses import dataclass
from typing import ClassVar

from canopy.telemetry.events import Event, Level


@dataclass(frozen=True, slots=True)
class HttpRequest(Event):
    """A request was answered. `http_route` is the route's pattern, never the path that the client sent."""

    name: ClassVar[str] = "http_request"
    http_request_method: str
    http_route: str
    http_response_status_code: int
    duration_seconds: float
    trace_id: str


@dataclass(frozen=True, slots=True)
class RequestFailed(Event):
    """A request failed, and not by the client's fault. `error` is the sentence that the client got."""

    name: ClassVar[str] = "request_failed"
    level: ClassVar[Level] = "error"
    http_route: str
    code: str
    error: str
    trace_id: str
    exception: str | None
    reason: str | None = None  # another server's message


@dataclass(frozen=True, slots=True)
class RequestRefused(Event):
    """A request was refused before it was read: its head is malformed, late or too large, or there are too many."""

    name: ClassVar[str] = "request_refused"
    level: ClassVar[Level] = "warning"
    http_response_status_code: int
    code: str
    trace_id: str


@dataclass(frozen=True, slots=True)
class ConnectionsLimited(Event):
    """The operating system allows too few open files for `CANOPY_MAX_CONNECTIONS`."""

    name: ClassVar[str] = "connections_limited"
    level: ClassVar[Level] = "warning"
    wanted: int
    possible: int
    open_files: int
