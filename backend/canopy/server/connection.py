"""One client connection: uvicorn's HTTP/1.1 protocol with bounds, closed when its framing is ambiguous.

The parser is fixed here, not left to what is installed: what it refuses (two lengths, folded lines, bare line feeds,
NUL) is part of what `tests/attack` relies on. This module adds checks for what it lets pass.
"""

import socket
from functools import partial
from typing import Any

import httptools
from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from canopy.base.errors import CanopyError, HeadTimeout, HeadTooLarge, MalformedRequest, Overloaded
from canopy.base.ids import new_trace_id
from canopy.server.connections import Connections
from canopy.server.early_responses import response_bytes

_PIECE = 16_384  # bytes parsed at once, so that a head is measured before it is far over its bound
_READ = 65_536  # bytes read at once, of which a turn of the event loop may hold one for each connection
_WRITE_BUFFER = 65_536  # bytes buffered for a slow reader before the application has to wait
_LINES = 256  # header lines of one request
_PIPELINE = 8  # requests that may wait behind the one in progress
_PER_CHUNK = 64  # bytes of a chunk's framing that aren't counted
_LINGER = 5  # seconds for a client to read its answer while its further input is discarded

_FRAMING_HEADERS = frozenset({b"host", b"connection", b"upgrade", b"http2-settings", b"transfer-encoding", b"expect"})


class _StopParsing(Exception):  # noqa: N818 - control flow, never reported
    """Nothing more on this connection is read."""


class Connection(HttpToolsProtocol):
    """uvicorn's protocol with a limit on each kind of waiting and growing.

    A request is its connection's last when it asks for another protocol (`Upgrade`, `CONNECT`, HTTP/2) or for the end,
    or when its framing is refused. Bytes behind the last request are never parsed as a request.
    """

    def __init__(self, connections: Connections, **uvicorn: Any) -> None:
        super().__init__(**uvicorn)
        self.parser = httptools.HttpRequestParser(self)  # without uvicorn's lenient flags
        self._connections, self._bounds = connections, connections.bounds
        self.timeout_keep_alive = self._bounds.idle_timeout
        self.running: RequestResponseCycle | None = None  # until the application has ended it
        self._refusal: CanopyError | None = None
        self._head_since: float | None = None  # start of waiting for a head; None between requests and while serving
        self._in_head = False
        self._head_size = 0
        self._hosts = 0
        self._chunked = False
        self._overhead = 0  # bytes of the current message besides its body
        self._last = False  # the connection ends with the current request
        self._discarding = False  # input is discarded
        self._unread = False  # the answer is complete before the request is
        self._stuck_since: float | None = None
        self._unsent = 0
        self._bodies = 0  # bytes of bodies of unanswered requests

    # Called by the event loop

    def connection_made(self, transport: Any) -> None:
        """Start the timeout for the first head."""
        super().connection_made(transport)
        # asyncio does this only where the listening socket names its protocol, which `create_server`'s doesn't. Without
        # it the kernel holds a small write back until the client has acknowledged the one before: 40 ms a response.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport.set_write_buffer_limits(high=_WRITE_BUFFER)
        transport.max_size = _READ  # asyncio's own is four times that, for which the C library maps memory each time
        self._head_since = self.loop.time()
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Remove the connection and tell its request in progress; uvicorn would tell the last one received."""
        self.cycle = self.running or self.cycle
        super().connection_lost(exc)
        self._connections.remove(self)

    def data_received(self, data: bytes) -> None:
        """Parse the data, unless it comes after the last request."""
        if self._discarding:
            return
        self._unset_keepalive_if_required()
        if self._head_since is None and not self._in_progress:
            self._head_since = self.loop.time()
        try:
            for start in range(0, len(data), _PIECE):
                piece = data[start : start + _PIECE]
                self._overhead += len(piece)
                self.parser.feed_data(piece)
                if self._overhead > self._bounds.head_bytes:
                    self._refuse(self._too_large())
                if self._discarding:
                    return
        except httptools.HttpParserUpgrade:
            self._discarding = True
        except httptools.HttpParserError as error:
            if isinstance(error.__context__, _StopParsing):
                self._stop_after_last()
            else:
                self._refuse(self._refusal or MalformedRequest("This is no well-formed HTTP/1.1 request."))

    # Called by the parser. An exception stops it and closes the connection.

    def on_message_begin(self) -> None:
        """Begin a head, unless the previous request was the last."""
        if self._last:
            raise _StopParsing
        super().on_message_begin()
        self._in_head, self._chunked = True, False
        self._head_size = self._hosts = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Record a header. Trailers, which follow the body, are ignored."""
        if not self._in_head:
            return
        self._head_size += len(name) + len(value) + 4
        if self._head_size > self._bounds.head_bytes or len(self.headers) >= _LINES:
            raise self._remember(self._too_large())
        name = name.lower()
        if name in _FRAMING_HEADERS:
            self._apply_header(name, value.lower())
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Start serving the request if its head is unambiguous about its end and its host."""
        self._in_head = False
        self._head_since = None
        version = self.parser.get_http_version()
        if version not in {"1.1", "1.0"}:
            raise self._remember(MalformedRequest("Canopy speaks HTTP/1.1."))
        if self._hosts > 1 or (self._hosts == 0 and version == "1.1"):
            raise self._remember(MalformedRequest("Send exactly one Host header."))
        if self._chunked and version == "1.0":
            raise self._remember(MalformedRequest("HTTP/1.0 has no Transfer-Encoding."))
        if len(self.url) + self._head_size > self._bounds.head_bytes:
            raise self._remember(self._too_large())
        if b"#" in self.url:
            raise self._remember(MalformedRequest("The address has a fragment, which is the client's own."))
        if len(self.pipeline) >= _PIPELINE:
            self._connections.count_ended("pipeline")
            raise _StopParsing
        if not self._connections.admits(self, self.url.partition(b"?")[0]):
            raise self._remember(Overloaded("Canopy has as many requests in progress as it may.", retry_after=5))
        if self.parser.get_method() == b"CONNECT":
            self._last = True
        super().on_headers_complete()
        if self._last:
            self.cycle.keep_alive = False
        self._last = not self.cycle.keep_alive
        self._connections.mark_busy(self)

    def on_chunk_header(self) -> None:
        """Exempt the chunk's size line from the overhead."""
        self._overhead -= _PER_CHUNK

    def on_body(self, body: bytes) -> None:
        """Pass on a part of the body."""
        self._overhead -= len(body)
        super().on_body(body)
        if self._in_progress:
            self._bodies += len(body)
            if not self._connections.reserve(self, self._bodies):
                raise self._remember(
                    Overloaded("Canopy has all the bytes of requests that it may have.", retry_after=5)
                )

    def on_message_complete(self) -> None:
        """End the request; after the last one, discard further input."""
        super().on_message_complete()
        if self.cycle is self.running:
            self._connections.mark_received(self)
        self._overhead = 0
        self._discarding = self._last

    # Called by uvicorn's request cycle

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self.running = cycle
        if cycle.more_body:
            self._connections.mark_receiving(self)
        super()._start_asgi_task(cycle, partial(self._serve, cycle, app))

    async def _serve(
        self,
        cycle: RequestResponseCycle,
        app: ASGI3Application,
        scope: Scope,
        receive: ASGIReceiveCallable,
        send: ASGISendCallable,
    ) -> None:
        """Run the application; close the connection if it answers before the request is complete."""

        def answer(message: ASGISendEvent) -> Any:
            if cycle.more_body and not cycle.disconnected:
                if message["type"] == "http.response.start":
                    cycle.keep_alive = False
                elif message["type"] == "http.response.body" and not message.get("more_body", False):
                    cycle.keep_alive = self._unread = True  # `_linger` closes it when the client has had time to read
            return send(message)

        try:
            if not cycle.disconnected:  # otherwise the body was refused already
                await app(scope, receive, answer if cycle.more_body else send)  # most requests are complete by now
        finally:
            if cycle is self.running:
                self.running = None
                self._connections.mark_request_ended(self)

    def on_response_complete(self) -> None:
        """Continue with the next request, wait for one, or close."""
        if self._unread:
            self.server_state.total_requests += 1
            self._linger()
            return
        more = bool(self.pipeline)
        super().on_response_complete()
        if more:
            return
        self._bodies = 0
        self._connections.mark_idle(self)
        if not self._hold_unsent() or self.transport.is_closing():
            return
        self._head_since = self.loop.time() if self._in_head else None

    # Bounds

    def check(self, now: float) -> None:
        """Close the connection if a head is late, or if the client doesn't read its answer."""
        if self._head_since is not None and now - self._head_since > self._bounds.head_timeout:
            if self._overhead:
                limit = f"{self._bounds.head_timeout:g}"
                self._refuse(HeadTimeout(f"The request's head did not arrive within {limit} seconds."))
            else:
                self._connections.count_ended("silent")
                self.transport.close()
                self._discarding, self._head_since = True, None
            return
        if not (self._in_progress or self._hold_unsent()):
            return
        unsent = self.transport.get_write_buffer_size()
        ending = self._unread or self.transport.is_closing()
        if not (unsent or ending) or unsent != self._unsent:
            self._stuck_since = None
        self._unsent = unsent
        if unsent or ending:
            self._stuck_since = self._stuck_since or now
            if now - self._stuck_since > (self._bounds.idle_timeout if unsent else _LINGER):
                if unsent:
                    self._connections.count_ended("unread")
                self.transport.abort()

    def abort(self) -> None:
        """Close at once. No request is in progress, so no answer is lost."""
        self._discarding = True
        self.transport.abort()

    def give_up_request(self) -> None:
        """Refuse an incomplete request with an error; close anything else at once."""
        if self._in_progress:
            self._refuse(_slow())
        else:
            self.abort()

    def _hold_unsent(self) -> bool:
        """Account for bytes that the client has yet to read. False if the connection was closed for them."""
        if self._connections.reserve(self, self.transport.get_write_buffer_size()):
            return True
        self.abort()
        return False

    @property
    def _in_progress(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _apply_header(self, name: bytes, value: bytes) -> None:
        """Note what a header means for the connection; `value` is in lower case."""
        if name == b"host":
            self._hosts += 1
        elif name == b"expect":
            self.expect_100_continue = value == b"100-continue"
        elif name == b"transfer-encoding":
            if value.strip() != b"chunked":
                raise self._remember(MalformedRequest("`Transfer-Encoding` may only be `chunked`."))
            self._chunked = True
        elif name != b"connection" or b"upgrade" in value:
            self._last = True

    def _too_large(self) -> HeadTooLarge:
        return HeadTooLarge(f"The request's head is longer than {self._bounds.head_bytes:,} bytes or {_LINES} lines.")

    def _remember(self, error: CanopyError) -> _StopParsing | CanopyError:
        """Remember the error, which the parser replaces by its own."""
        self._refusal = error
        return error

    def _refuse(self, error: CanopyError) -> None:
        """Answer with the error where possible, and close the connection."""
        request_id = new_trace_id()
        self._connections.report_refusal(error, request_id)
        cycle = self.cycle
        if self._in_progress and (self._in_head or not cycle.more_body):
            self._stop_after_last()  # earlier requests still get their answers
            return
        if self._in_progress and cycle is not self.running:
            self.pipeline.popleft()  # its body is wrong, and earlier requests aren't answered yet
            self._stop_after_last()
            return
        answered = self._in_progress and cycle.response_started
        if self._in_progress:
            cycle.waiting_for_100_continue = False
            cycle.disconnected = True
            cycle.message_event.set()
        if not answered:
            self.transport.write(response_bytes(error, request_id, self.server_state.default_headers))
        self._linger()

    def _stop_after_last(self) -> None:
        """Stop reading, and close the connection after the answers that are due."""
        self._discarding = True
        self._last = True
        cycle = self.pipeline[0][0] if self.pipeline else self.running
        if cycle is not None and not cycle.response_complete:
            cycle.keep_alive = False
        elif not self.transport.is_closing():
            self._linger()

    def _linger(self) -> None:
        """Close the writing side now, the reading side later: a close while data arrives would destroy the answer."""
        self._discarding = self._unread = True
        self._head_since = None
        self._unset_keepalive_if_required()
        self.flow.resume_reading()
        self._connections.mark_idle(self)
        if not self.transport.is_closing():
            try:
                self.transport.write_eof()
            except OSError:  # the client has reset the connection already
                self.transport.abort()


def _slow() -> Overloaded:
    return Overloaded("Canopy gave the room of this request to others, since it was slow to arrive.", retry_after=5)
