"""A load client that costs little: protocols on the event loop, which look for the end of an answer and no further."""

import asyncio
import time
from collections.abc import Callable
from typing import cast


def request(method: str, path: str, body: bytes = b"", *, close: bool = False, accept: str = "") -> bytes:
    """The bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Connection: {'close' if close else 'keep-alive'}"]
    if accept:
        lines.append(f"Accept: {accept}")
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class _Connection(asyncio.Protocol):
    """Where a request goes out and its answer comes in."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_exception(exc or ConnectionError("The server closed the connection."))


class Closed(_Connection):
    """Sends one request after the other, each when the one before it is answered, until a time is reached.

    Answers have a length; anything but 200 ends the measurement.
    """

    def __init__(self, make: Callable[[], bytes], until: float) -> None:
        super().__init__()
        self._make = make
        self._until = until
        self._sent = 0.0
        self._missing = -1  # bytes of the answer that are still to come
        self._head = b""
        self.seconds: list[float] = []  # of each answer

    def begin(self) -> None:
        """Send the first request."""
        self._sent = time.perf_counter()
        self.transport.write(self._make())

    def data_received(self, data: bytes) -> None:
        if self._missing < 0:
            self._head += data
            head, found, body = self._head.partition(b"\r\n\r\n")
            if not found:
                return
            self._head = b""
            if not head.startswith(b"HTTP/1.1 200"):
                self.ended.set_exception(RuntimeError(f"Not the answer that was expected: {head!r} {body!r}"))
                self.transport.close()
                return
            at = head.lower().index(b"content-length:") + 15
            self._missing = int(head[at:].partition(b"\r\n")[0]) - len(body)
        else:
            self._missing -= len(data)
        if self._missing <= 0:
            self._missing = -1
            now = time.perf_counter()
            self.seconds.append(now - self._sent)
            if now < self._until:
                self._sent = now
                self.transport.write(self._make())
            elif not self.ended.done():
                self.ended.set_result(None)
                self.transport.close()


async def keep_busy(port: int, make: Callable[[], bytes], *, connections: int, seconds: float) -> list[float]:
    """Keep this many connections busy; the seconds that each answer took."""
    loop = asyncio.get_running_loop()
    until = time.perf_counter() + seconds
    clients = [
        (await loop.create_connection(lambda: Closed(make, until), "127.0.0.1", port))[1] for _ in range(connections)
    ]
    for client in clients:
        client.begin()
    async with asyncio.timeout(seconds + 30):
        await asyncio.gather(*(client.ended for client in clients))
    return [each for client in clients for each in client.seconds]


async def ask(port: int, message: bytes) -> float:
    """The seconds that one request took, on a connection of its own."""
    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(lambda: Closed(lambda: message, 0), "127.0.0.1", port)
    client.begin()
    async with asyncio.timeout(30):
        await client.ended
    return client.seconds[0]


class Stream(_Connection):
    """Reads one streamed answer to its end: when its first and its last token came, and how many there were."""

    def __init__(self, message: bytes, marker: bytes) -> None:
        super().__init__()
        self._message = message
        self._marker = marker  # stands in the bytes once per token
        self._rest = b""
        self.sent = 0.0
        self.first_byte = 0.0
        self.first = 0.0
        self.last = 0.0
        self.tokens = 0
        self.size = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.sent = time.perf_counter()
        self.transport.write(self._message)

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        self.first_byte = self.first_byte or now
        self.size += len(data)
        data = self._rest + data
        if tokens := data.count(self._marker):
            self.first = self.first or now
            self.last = now
            self.tokens += tokens
        self._rest = data[1 - len(self._marker) :]
        if data.endswith(b"0\r\n\r\n") and not self.ended.done():
            self.ended.set_result(None)
            self.transport.close()


async def stream(port: int, message: bytes, marker: bytes, within: float) -> Stream:
    """Read one streamed answer."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(within):
        _, client = await loop.create_connection(lambda: Stream(message, marker), "127.0.0.1", port)
        await client.ended
    return client
