"""A real HTTP server that speaks OpenAI's streaming chat completions and misbehaves on request.

    async with FakeModelServer() as model:
        model.scripts["llama32"] = Script(tokens=("a", "b"), rate=50)
        ... point Canopy at model.url ...
        request = await model.next_request()
        await request.disconnected.wait()

What is answered depends on the system prompt, the question, what the question holds (`about`) or the model's name: a
script registered under it, else one of `model_scripts.SCRIPTS` (each fault has a name there), else `SCRIPTS["fake"]`.
Parameters go behind a question mark: `fake?count=200&rate=50&headers_after=0.1`.

`python -m tests.support.model_server --port 9000` serves the same from a process of its own, for benchmarks.
"""

import argparse
import asyncio
import dataclasses
import functools
import itertools
import json
import ssl
import sys
from collections import deque
from typing import Any, Self, cast

from tests.support.model_scripts import SCRIPTS, Script, script_for


@dataclasses.dataclass(slots=True)
class Request:
    """One request as the model server saw it. Times are the event loop's."""

    method: str
    path: str
    headers: dict[str, str]  # names in lower case
    body: dict[str, Any]
    arrived_at: float
    tokens_sent: int = 0
    disconnected: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)  # before the reply was complete
    disconnected_at: float | None = None
    finished: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)  # the reply is complete


class FakeModelServer:
    """The server on a free port of 127.0.0.1. Closing it cuts what is still open."""

    def __init__(self, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.scripts: dict[str, Script] = {}
        self.about: dict[str, Script] = {}  # by a text that the question holds, as a judge's does
        self.requests: deque[Request] = deque(maxlen=10_000)
        self.connections: set[_Connection] = set()
        self.connections_made = 0
        self._port = port
        self._arrived: asyncio.Queue[Request] = asyncio.Queue()
        self._seen: dict[str, int] = {}

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self), "127.0.0.1", self._port, backlog=1024, ssl=self._tls
        )
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        tasks = [connection.task for connection in self.connections if connection.task]
        for connection in list(self.connections):
            connection.abort()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        """The base URL, without `/v1`."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}"

    async def next_request(self) -> Request:
        """The oldest request that no earlier call returned, as soon as there is one."""
        return await self._arrived.get()

    def forget(self) -> None:
        """Begin to count anew how often a script with `times` was used."""
        self._seen.clear()

    def record(self, request: Request) -> Script:
        """Note a request and decide how it is answered."""
        self.requests.append(request)
        if self._arrived.qsize() < 1000:
            self._arrived.put_nowait(request)
        name = str(request.body.get("model", ""))
        messages = request.body.get("messages") or [{}]
        prompt = str(messages[0].get("content"))
        asked = str(messages[-1].get("content"))
        about = next((script for text, script in self.about.items() if text in asked), None)
        script = self.scripts.get(prompt) or self.scripts.get(asked) or about or self.scripts.get(name)
        script = script or script_for(name)
        if script.times is not None:
            self._seen[name] = self._seen.get(name, 0) + 1
            if self._seen[name] > script.times:
                return script_for(script.then)
        return script


class _Connection(asyncio.Protocol):
    """One client connection, kept alive between requests."""

    def __init__(self, server: FakeModelServer) -> None:
        self._server = server
        self._buffer = b""
        self._transport: asyncio.Transport
        self.request: Request | None = None
        self.task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        self._server.connections.add(self)
        self._server.connections_made += 1

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        self._server.connections.discard(self)
        if self.request and not self.request.finished.is_set():
            self.request.disconnected_at = asyncio.get_running_loop().time()
            self.request.disconnected.set()
        if self.task:
            self.task.cancel()

    def abort(self) -> None:
        """Drop the connection as a crashed server does."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        request_line, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        method, path, _ = request_line.split(" ", 2)
        body = json.loads(rest[:length]) if length else {}
        self.request = Request(method, path, headers, body, asyncio.get_running_loop().time())
        self.task = asyncio.create_task(self._answer(self.request))

    async def _answer(self, request: Request) -> None:
        if request.method == "GET" and request.path == "/v1/models":
            models = [{"id": name, "object": "model"} for name in self._server.scripts or SCRIPTS]
            self._respond(200, (), json.dumps({"object": "list", "data": models}).encode())
        elif request.path != "/v1/chat/completions":
            self._respond(404, (), b'{"error": {"message": "no such route"}}')
        else:
            script = self._server.record(request)
            await asyncio.sleep(script.headers_after)
            if not script.status:
                self._transport.close()
                return
            if script.body is not None:
                self._respond(script.status, script.headers or _EVENT_STREAM, script.body)
            elif script.status != 200:
                self._respond(script.status, script.headers, json.dumps({"error": script.error}).encode())
            elif request.body.get("stream"):
                await self._stream(script, request)
            else:
                self._respond(200, (), _whole(script, request.body["model"]))
        request.finished.set()

    def _respond(self, status: int, headers: tuple[tuple[str, str], ...], body: bytes) -> None:
        lines = [f"HTTP/1.1 {status} Status", f"Content-Length: {len(body)}", *(f"{name}: {v}" for name, v in headers)]
        if not any(name.lower() == "content-type" for name, _ in headers):
            lines.append("Content-Type: application/json")
        self._transport.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    async def _stream(self, script: Script, request: Request) -> None:
        model, tokens = str(request.body["model"]), script.tokens
        if script.count is not None:
            tokens = tuple(itertools.islice(itertools.cycle(tokens), script.count))
        self._transport.write(_STREAM_HEAD)
        await self._write(script, _event(model, {"role": "assistant", "content": ""}, newline=script.newline))
        await asyncio.sleep(script.first_token_after)
        thoughts = [_event(model, {"reasoning_content": text}, newline=script.newline) for text in script.reasoning]
        events = thoughts + [_token(model, text, script.newline) for text in tokens]
        if script.rate:
            await self._paced(script, request, events)
        else:
            await self._write(script, b"".join(events))
            request.tokens_sent = len(events)
        await self._end(script, model)

    async def _paced(self, script: Script, request: Request, events: list[bytes]) -> None:
        """Send each event at its time, however late the ones before it were."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        for number, event in enumerate(events):
            await asyncio.sleep(start + number / script.rate - loop.time())
            await self._write(script, event)
            request.tokens_sent += 1

    async def _end(self, script: Script, model: str) -> None:
        finish = _event(model, {}, script.finish_reason, newline=script.newline)
        usage = _usage(script, model)
        done = b"data: [DONE]" + script.newline * 2
        match script.ending:
            case "done":
                await self._write(script, finish + usage + done)
            case "no_done":
                await self._write(script, finish + usage)
            case "no_finish_reason":
                await self._write(script, usage + done)
            case "only_done":
                await self._write(script, done)
            case "error":
                await self._write(script, b"data: " + json.dumps({"error": script.error}).encode() + script.newline * 2)
            case "cut":
                self._transport.write(b"ff\r\ndata: {")
                await asyncio.sleep(0.01)  # lets the kernel deliver what was written before the reset
                self._transport.abort()
                await asyncio.sleep(3600)  # until connection_lost cancels this
            case "silence":
                await asyncio.sleep(3600)
            case "heartbeats" | "empty_deltas" as ending:
                beat = b": still here\n\n" if ending == "heartbeats" else _event(model, {"content": ""})
                while True:
                    await self._write(script, beat)
                    await asyncio.sleep(0.02)
            case "nothing":
                pass
        self._transport.write(b"0\r\n\r\n")

    async def _write(self, script: Script, data: bytes) -> None:
        size = script.write_size or len(data)
        for start in range(0, len(data), size or 1):
            part = data[start : start + size]
            self._transport.write(b"%x\r\n%b\r\n" % (len(part), part))
            if script.write_size:
                await asyncio.sleep(0)


_EVENT_STREAM = (("Content-Type", "text/event-stream"),)
_STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def _event(model: str, delta: dict[str, str], finish_reason: str | None = None, *, newline: bytes = b"\n") -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
    return _data(model, [choice], {}, newline)


def _data(model: str, choices: list[dict[str, Any]], more: dict[str, Any], newline: bytes) -> bytes:
    chunk = {"id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": choices}
    return b"data: " + json.dumps(chunk | more, ensure_ascii=False).encode() + newline * 2


@functools.lru_cache(maxsize=4096)
def _token(model: str, text: str, newline: bytes) -> bytes:
    return _event(model, {"content": text}, newline=newline)


def _counts(script: Script) -> dict[str, int]:
    tokens = len(script.tokens) if script.count is None else script.count
    return {"prompt_tokens": 7, "completion_tokens": tokens, "total_tokens": 7 + tokens}


def _usage(script: Script, model: str) -> bytes:
    return _data(model, [], {"usage": _counts(script)}, script.newline) if script.usage else b""


def _whole(script: Script, model: str) -> bytes:
    message = {"role": "assistant", "content": "".join(script.tokens)}
    choice = {"index": 0, "message": message, "finish_reason": script.finish_reason}
    reply = {"id": "chatcmpl-fake", "object": "chat.completion", "created": 1, "model": model, "choices": [choice]}
    return json.dumps(reply | {"usage": _counts(script)}).encode()


async def serve(port: int) -> None:
    """Serve until the process is ended; the first line on stdout is the base URL."""
    async with FakeModelServer(port) as server:
        sys.stdout.write(server.url + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    import uvloop

    uvloop.run(serve(parser.parse_args().port))
