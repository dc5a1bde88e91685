"""What is reported of connections: what never became a request, and how many there may be."""

from dataclasses import dataclass
from typing import ClassVar

from canopy.telemetry.events import Event, Level


@dataclass(frozen=True, slots=True)
class RequestRefused(Event):
    """A request was refused before it was one: its head or framing is wrong, late, too large or one too many."""

    name: ClassVar[str] = "request_refused"
    level: ClassVar[Level] = "warning"
    http_response_status_code: int
    code: str
    trace_id: str


@dataclass(frozen=True, slots=True)
class ConnectionsLimited(Event):
    """The system allows the process too few open files for the connections that the settings want."""

    name: ClassVar[str] = "connections_limited"
    level: ClassVar[Level] = "warning"
    wanted: int
    possible: int
    open_files: int
