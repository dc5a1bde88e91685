"""One connection of a client: uvicorn's HTTP/1.1, within bounds, and ended wherever its framing is in doubt.

The parser is named here and not left to what happens to be installed: what it refuses by itself (two lengths, folded
lines, bare line feeds, NUL) is part of what `tests/attack` relies on. Added here is what it lets pass.
"""

from functools import partial
from typing import Any

import httptools
from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from canopy.base.errors import CanopyError, HeadTimeout, HeadTooLarge, MalformedRequest, Overloaded
from canopy.base.ids import new_trace_id
from canopy.server.connections import Connections
from canopy.server.early_responses import answer_of

_PIECE = 16_384  # bytes that the parser gets at once, so that a head is measured before it has grown far past its bound
_WRITE_BUFFER = 65_536  # bytes that may wait for a slow reader before the application waits instead
_LINES = 256  # header lines of one request
_PIPELINE = 8  # requests that may wait behind the one in progress
_PER_CHUNK = 64  # bytes of framing that a chunk may have for nothing
_LINGER = 5  # seconds in which a client may read its answer while what it still sends is thrown away

_TELLING = frozenset({b"host", b"connection", b"upgrade", b"http2-settings", b"transfer-encoding", b"expect"})


class _Drop(Exception):  # noqa: N818 - raised to stop the parser, told to nobody
    """What follows on this connection is not read."""


class Connection(HttpToolsProtocol):
    """uvicorn's protocol, with an end to each kind of waiting and growing.

    A request is the last of its connection when it asks for another protocol (`Upgrade`, `CONNECT`, HTTP/2) or for the
    end, or when its framing is refused. Nothing behind the last one is ever read as a request.
    """

    def __init__(self, connections: Connections, **uvicorn: Any) -> None:
        super().__init__(**uvicorn)
        self.parser = httptools.HttpRequestParser(self)  # without the leniencies that uvicorn gives its own
        self._connections, self._bounds = connections, connections.bounds
        self.timeout_keep_alive = self._bounds.idle_timeout
        self.running: RequestResponseCycle | None = None  # until the application has ended it
        self._refusal: CanopyError | None = None
        self._head_since: float | None = None  # since when a head is awaited; None between requests and while serving
        self._in_head = False
        self._head_size = 0
        self._hosts = 0
        self._chunked = False
        self._overhead = 0  # bytes of the current message that are no body
        self._last = False  # the connection ends with the current request
        self._deaf = False  # what arrives is thrown away
        self._unread = False  # the answer is complete, the request isn't
        self._stuck_since: float | None = None
        self._unsent = 0
        self._bodies = 0  # bytes of bodies whose requests are not answered

    # What the event loop calls

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for a head: the time for it counts from here."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=_WRITE_BUFFER)
        self._head_since = self.loop.time()
        self._connections.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection, and tell the request in progress: uvicorn would tell the last one that came."""
        self.cycle = self.running or self.cycle
        super().connection_lost(exc)
        self._connections.closed(self)

    def data_received(self, data: bytes) -> None:
        """Parse what came, unless it is behind the last request."""
        if self._deaf:
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
                if self._deaf:
                    return
        except httptools.HttpParserUpgrade:
            self._deaf = True
        except httptools.HttpParserError as error:
            if isinstance(error.__context__, _Drop):
                self._stop_after_last()
            else:
                self._refuse(self._refusal or MalformedRequest("This is no well-formed HTTP/1.1 request."))

    # What the parser calls. An exception stops it, and the connection with it.

    def on_message_begin(self) -> None:
        """Begin a head, unless the one before was the last request."""
        if self._last:
            raise _Drop
        super().on_message_begin()
        self._in_head, self._chunked = True, False
        self._head_size = self._hosts = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header. What comes after the head is a trailer, which nothing may take for a header."""
        if not self._in_head:
            return
        self._head_size += len(name) + len(value) + 4
        if self._head_size > self._bounds.head_bytes or len(self.headers) >= _LINES:
            raise self._refused(self._too_large())
        name = name.lower()
        if name in _TELLING:
            self._heed(name, value.lower())
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Begin to serve the request, if its head leaves no doubt where it ends and whom it is for."""
        self._in_head = False
        self._head_since = None
        version = self.parser.get_http_version()
        if version not in {"1.1", "1.0"}:
            raise self._refused(MalformedRequest("Canopy speaks HTTP/1.1."))
        if self._hosts > 1 or (self._hosts == 0 and version == "1.1"):
            raise self._refused(MalformedRequest("Send exactly one Host header."))
        if self._chunked and version == "1.0":
            raise self._refused(MalformedRequest("HTTP/1.0 has no Transfer-Encoding."))
        if len(self.url) + self._head_size > self._bounds.head_bytes:
            raise self._refused(self._too_large())
        if b"#" in self.url:
            raise self._refused(MalformedRequest("The address has a fragment, which is the client's own."))
        if len(self.pipeline) >= _PIPELINE:
            self._connections.count("pipeline")
            raise _Drop
        if not self._connections.may_work(self, self.url.partition(b"?")[0]):
            raise self._refused(Overloaded("Canopy has as many requests in progress as it may.", retry_after=5))
        if self.parser.get_method() == b"CONNECT":
            self._last = True
        super().on_headers_complete()
        if self._last:
            self.cycle.keep_alive = False
        self._last = not self.cycle.keep_alive
        self._connections.works(self)

    def on_chunk_header(self) -> None:
        """Allow the chunk its line, so that only what is no body grows the overhead."""
        self._overhead -= _PER_CHUNK

    def on_body(self, body: bytes) -> None:
        """Hand on a part of the body."""
        self._overhead -= len(body)
        super().on_body(body)
        if self._in_progress:
            self._bodies += len(body)
            if not self._connections.holds(self, self._bodies):
                raise self._refused(Overloaded("Canopy has all the bytes of requests that it may have.", retry_after=5))

    def on_message_complete(self) -> None:
        """End the request, and with the last one the reading."""
        super().on_message_complete()
        if self.cycle is self.running:
            self._connections.arrived(self)
        self._overhead = 0
        self._deaf = self._last

    # What uvicorn's cycle calls

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self.running = cycle
        if cycle.more_body:
            self._connections.arrives(self)
        super()._start_asgi_task(cycle, partial(self._serve, cycle, app))

    async def _serve(
        self,
        cycle: RequestResponseCycle,
        app: ASGI3Application,
        scope: Scope,
        receive: ASGIReceiveCallable,
        send: ASGISendCallable,
    ) -> None:
        """Run the application, and end the connection after an answer to a request that is not whole by then."""

        def answer(message: ASGISendEvent) -> Any:
            if cycle.more_body and not cycle.disconnected:
                if message["type"] == "http.response.start":
                    cycle.keep_alive = False
                elif message["type"] == "http.response.body" and not message.get("more_body", False):
                    cycle.keep_alive = self._unread = True  # closed here, when the client has had time to read
            return send(message)

        try:
            if not cycle.disconnected:  # else the body was refused before anything began
                await app(scope, receive, answer if cycle.more_body else send)  # most requests are whole by now
        finally:
            if cycle is self.running:
                self.running = None
                self._connections.ended(self)

    def on_response_complete(self) -> None:
        """Go on with the next request, wait for one, or end."""
        if self._unread:
            self.server_state.total_requests += 1
            self._linger()
            return
        more = bool(self.pipeline)
        super().on_response_complete()
        if more:
            return
        self._bodies = 0
        self._connections.waits(self)
        if not self._hold_unsent() or self.transport.is_closing():
            return
        self._head_since = self.loop.time() if self._in_head else None

    # What keeps the bounds

    def check(self, now: float) -> None:
        """End a head that doesn't come, and a client that takes nothing of what it asked for."""
        if self._head_since is not None and now - self._head_since > self._bounds.head_timeout:
            if self._overhead:
                limit = f"{self._bounds.head_timeout:g}"
                self._refuse(HeadTimeout(f"The request's head did not arrive within {limit} seconds."))
            else:
                self._connections.count("silent")
                self.transport.close()
                self._deaf, self._head_since = True, None
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
                    self._connections.count("unread")
                self.transport.abort()

    def make_room(self) -> None:
        """End at once. There is no request in progress, so nobody loses an answer."""
        self._deaf = True
        self.transport.abort()

    def make_way(self) -> None:
        """End a request that isn't whole with a sentence, and anything else at once."""
        if self._in_progress:
            self._refuse(_slow())
        else:
            self.make_room()

    def _hold_unsent(self) -> bool:
        """Account for what the client has yet to read. False when the connection was ended for it."""
        if self._connections.holds(self, self.transport.get_write_buffer_size()):
            return True
        self.make_room()
        return False

    @property
    def _in_progress(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _heed(self, name: bytes, value: bytes) -> None:
        """Note what a header means for the connection; `value` is in lower case."""
        if name == b"host":
            self._hosts += 1
        elif name == b"expect":
            self.expect_100_continue = value == b"100-continue"
        elif name == b"transfer-encoding":
            if value.strip() != b"chunked":
                raise self._refused(MalformedRequest("`Transfer-Encoding` may only be `chunked`."))
            self._chunked = True
        elif name != b"connection" or b"upgrade" in value:
            self._last = True

    def _too_large(self) -> HeadTooLarge:
        return HeadTooLarge(f"The request's head is longer than {self._bounds.head_bytes:,} bytes or {_LINES} lines.")

    def _refused(self, error: CanopyError) -> _Drop | CanopyError:
        """Remember why, since the parser hides what stops it."""
        self._refusal = error
        return error

    def _refuse(self, error: CanopyError) -> None:
        """Answer with the error where that is in order, and end the connection."""
        request_id = new_trace_id()
        self._connections.refused(error, request_id)
        cycle = self.cycle
        if self._in_progress and (self._in_head or not cycle.more_body):
            self._stop_after_last()  # the requests before the wrong one get their answers
            return
        if self._in_progress and cycle is not self.running:
            self.pipeline.popleft()  # a body that is wrong, behind others
            self._stop_after_last()
            return
        answered = self._in_progress and cycle.response_started
        if self._in_progress:
            cycle.waiting_for_100_continue = False
            cycle.disconnected = True
            cycle.message_event.set()
        if not answered:
            self.transport.write(answer_of(error, request_id, self.server_state.default_headers))
        self._linger()

    def _stop_after_last(self) -> None:
        """Read no more, and end the connection after the answers that are due."""
        self._deaf = True
        self._last = True
        cycle = self.pipeline[0][0] if self.pipeline else self.running
        if cycle is not None and not cycle.response_complete:
            cycle.keep_alive = False
        elif not self.transport.is_closing():
            self._linger()

    def _linger(self) -> None:
        """End the writing now and the reading a little later: a close while bytes arrive would destroy the answer."""
        self._deaf = self._unread = True
        self._head_since = None
        self._unset_keepalive_if_required()
        self.flow.resume_reading()
        self._connections.waits(self)
        if not self.transport.is_closing():
            try:
                self.transport.write_eof()
            except OSError:  # the client has reset the connection, which the event loop has yet to tell
                self.transport.abort()


def _slow() -> Overloaded:
    return Overloaded("Canopy gave the room of this request to others, since it was slow to arrive.", retry_after=5)
