"""A backend on loopback that answers as it is told, faults included.

    async with FakeBackend() as backend:
        backend.answers["a text"] = [Answer(status=503), Answer(events=(delta("hello"), DONE))]
        ... ask backend.url ...
        assert backend.asked == ["a text", "a text"]

The last answer of a prompt is used again and again; prompts without one get `ECHO`.
"""

import asyncio
import dataclasses
import json
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

from tests.support.commands import without_own

FLAGS = {"config_revision": "0123456789ab", "flags": {"summarize": {"enabled": True, "reason": "On."}}}


def event(**payload: Any) -> bytes:
    return b"data: " + json.dumps(payload).encode() + b"\n\n"


def delta(text: str) -> bytes:
    return event(delta=text)


DONE = (
    event(type="done", request_id="4bf92f3577b34da6a3ce929d0e0e4736", generation_id="gen_1", usage={"output_tokens": 7})
    + b"data: [DONE]\n\n"
)


@dataclasses.dataclass(frozen=True)
class Answer:
    """`events` are written one by one; then the connection is closed, too early with `cut`, or hangs with `hang`."""

    events: tuple[bytes, ...] = ()
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "text/event-stream"
    cut: bool = False
    hang: bool = False
    hold: asyncio.Event | None = None  # answer when this is set


ECHO = Answer((delta("An answer"), delta(" of the backend."), DONE))


class FakeBackend:
    """The server, on a free port of 127.0.0.1 unless one is given."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.answers: dict[str, list[Answer]] = {}
        self.default = ECHO
        self.flags: dict[str, Any] | None = FLAGS
        self.flags_answer: Answer | None = None  # instead of the flags
        self.fixed: Answer | None = None  # to whatever is asked
        self.asked: list[str] = []
        self.headers: dict[str, str] = {}  # of the last request, names in lower case
        self.path = ""
        self.at_once = self.most_at_once = 0
        self.arrived = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            await self._respond(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionResetError):
            pass  # the client left before it had asked
        finally:
            writer.close()

    async def _respond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        _, path, _ = head[0].split(" ", 2)
        self.headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:])}
        body = await reader.readexactly(int(self.headers.get("content-length", 0)))
        if self.fixed:
            answer = self.fixed
        elif path.startswith("/feature-flags"):
            flags = Answer((json.dumps(self.flags).encode(),), 200 if self.flags else 404, (), "application/json")
            answer = self.flags_answer or flags
        else:
            self.path = path
            answer = self._answer_to(json.loads(body)["prompt"])
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self._write(writer, answer)
        except asyncio.CancelledError:
            pass  # the server is closed: this connection is over, and that is all
        finally:
            self.at_once -= 1

    def _answer_to(self, prompt: str) -> Answer:
        self.asked.append(prompt)
        self.arrived.set()
        answers = self.answers.get(prompt, [self.default])
        return answers.pop(0) if len(answers) > 1 else answers[0]

    async def _write(self, writer: asyncio.StreamWriter, answer: Answer) -> None:
        if answer.hold:
            await answer.hold.wait()
        if answer.status:
            lines = [f"HTTP/1.1 {answer.status} Status", "Connection: close", f"Content-Type: {answer.content_type}"]
            lines += [f"{name}: {value}" for name, value in answer.headers]
            lines += ["Content-Length: 1000000"] if answer.cut else []
            writer.write("\r\n".join(lines).encode() + b"\r\n\r\n")
        for each in answer.events:
            writer.write(each)
            await writer.drain()
            await asyncio.sleep(0)
        if answer.hang:
            await asyncio.Event().wait()


@asynccontextmanager
async def running_canopy(
    *arguments: str | Path, env: dict[str, str] | None = None, cwd: Path | None = None
) -> AsyncGenerator[asyncio.subprocess.Process]:
    """The command while it runs; it is ended if it still does in the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "canopy",
        *map(str, arguments),
        env=without_own() | (env or {}),
        cwd=cwd,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
