"""Server-sent events with keep-alive comments and a definite end, and work that ends when its client disconnects."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import aclosing
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from canopy.base.errors import CanopyError
from canopy.text import json_lines

CLIENT_GONE = 499  # nginx's number for a client that closed the connection before the answer
DONE = b"data: [DONE]\n\n"
_COMMENT = b": keep-alive\n\n"
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]


def event(payload: object) -> bytes:
    """Return one event: a line `data: {json}` and a blank line."""
    return b"data: " + json_lines.dump(payload) + b"\n\n"


class EventStream(Response):
    """A response that sends chunks of encoded events as they come, and `[DONE]` at the end.

    The status line is sent with the first chunk, so that an earlier error has an HTTP status of its own, or after
    `keepalive` seconds; as often, a quiet stream sends a comment, lest proxies close it. An error in a stream that has
    begun becomes the event that `on_error` returns. The generator is closed when the client disconnects, or leaves
    data unread for `unread_for` seconds, because it would occupy the model.
    """

    def __init__(
        self,
        chunks: AsyncGenerator[bytes],
        *,
        keepalive: float,
        unread_for: float,
        on_error: Callable[[Exception], bytes],
    ) -> None:
        super().__init__()
        self._chunks = chunks
        self._keepalive = keepalive
        self._unread_for = unread_for
        self._on_error = on_error
        self._started = False
        self._sending = 0  # a chunk and a comment may wait for the client at the same time
        self._last_sent = 0.0

    def pass_through(self, change: Callable[[AsyncGenerator[bytes]], AsyncGenerator[bytes]]) -> None:
        """Replace the chunks by what `change` yields for them. It must close them when it is closed."""
        self._chunks = change(self._chunks)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream."""
        del scope
        loop = asyncio.get_running_loop()
        self._last_sent = loop.time()
        pump = asyncio.create_task(self._pump(send))
        gone = asyncio.create_task(_disconnected(receive))
        tasks: set[asyncio.Task[None]] = {pump, gone}
        try:
            while not pump.done() and not gone.done():
                quiet_for = loop.time() - self._last_sent
                if self._sending and quiet_for >= self._unread_for:
                    break
                if not self._sending and quiet_for >= self._keepalive:
                    # Not awaited: it may wait for the client, too.
                    comment = asyncio.create_task(self._send(send, _COMMENT))
                    tasks.add(comment)
                    comment.add_done_callback(tasks.discard)
                    quiet_for = 0
                limit = self._unread_for if self._sending else self._keepalive
                pause = min(self._unread_for, max(limit - quiet_for, limit / 10))
                await asyncio.wait({pump, gone}, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (ended := tuple(tasks)):
                task.cancel()
            await asyncio.wait(ended)
        if not pump.cancelled():
            pump.result()
        elif not self._started:
            await send_client_gone(send)

    async def _pump(self, send: Send) -> None:
        try:
            async with aclosing(self._chunks) as chunks:
                async for chunk in chunks:
                    await self._send(send, chunk)
        except Exception as error:
            if not self._started:
                raise
            await self._send(send, self._on_error(error))
            if not isinstance(error, CanopyError):
                await self._end(send)
                raise
        await self._end(send)

    async def _end(self, send: Send) -> None:
        await self._send(send, DONE, more=False)

    async def _send(self, send: Send, chunk: bytes, *, more: bool = True) -> None:
        if not self._started:
            self._started = True
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        if not self._sending:
            self._last_sent = asyncio.get_running_loop().time()
        self._sending += 1
        try:
            await send({"type": "http.response.body", "body": chunk, "more_body": more})
        finally:
            self._sending -= 1


async def unless_disconnected[T](receive: Receive, work: Coroutine[Any, Any, T]) -> T | None:
    """Return the result of `work`; if the client disconnects first, cancel it and return None."""
    task, gone = asyncio.create_task(work), asyncio.create_task(_disconnected(receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        for pending in (task, gone):
            pending.cancel()
        await asyncio.wait({task, gone})


async def serve_while_connected(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve a request without a body, and cancel it if the client disconnects."""
    answered = begun = False

    def sending(message: Message) -> Awaitable[None]:
        nonlocal begun
        begun = True
        return send(message)

    async def serve() -> None:
        nonlocal answered
        await app(scope, receive, sending)
        answered = True

    await unless_disconnected(receive, serve())
    if not (answered or begun):
        await send_client_gone(send)


async def send_client_gone(send: Send) -> None:
    """Respond to a client that has disconnected, for the log and the metrics."""
    await send({"type": "http.response.start", "status": CLIENT_GONE, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
