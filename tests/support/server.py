"""A real Canopy process, as `canopy serve` starts it."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from canopy.store.opening import migrate_database
from tests.support.commands import without_own
from tests.support.forking import Forked, begins_alike, fork


@dataclass
class Server:
    """A running process: where it listens and every line it has written to standard output."""

    process: asyncio.subprocess.Process | Forked
    url: str
    config_path: Path | None
    output: asyncio.ReadTransport  # the end of its standard output that is read here
    operations_url: str | None = None  # where CANOPY_OPERATIONS_PORT is set
    lines: list[bytes] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    errors: bytes = b""

    @property
    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]

    def events(self, name: str) -> list[dict[str, Any]]:
        return [line for line in self.log if line["event"] == name]

    async def event(self, name: str, count: int = 1, within: float = 30) -> list[dict[str, Any]]:
        """Wait until `count` events of this name have been logged."""
        async with asyncio.timeout(within):
            while len(found := self.events(name)) < count:
                self.arrived.clear()
                await self.arrived.wait()
        return found

    async def request_line(self, request_id: str, within: float = 30) -> dict[str, Any]:
        """Wait until the request with this id has been logged, whatever others were before."""
        async with asyncio.timeout(within):
            while not (found := [it for it in self.events("http_request") if it["trace_id"] == request_id]):
                self.arrived.clear()
                await self.arrived.wait()
        return found[0]

    def write_values(self, values: Mapping[str, Any] | str) -> None:
        """Replace the values file the way an editor does: by a rename."""
        assert self.config_path
        new = self.config_path.with_suffix(".new")
        new.write_text(values if isinstance(values, str) else yaml.safe_dump(dict(values)))
        new.replace(self.config_path)

    async def stop(self, with_signal: signal.Signals = signal.SIGTERM, within: float = 30) -> int:
        """End the process and return its exit status."""
        if self.process.returncode is None:
            self.process.send_signal(with_signal)
        return await asyncio.wait_for(self.process.wait(), within)


@asynccontextmanager
async def running_server(
    folder: Path,
    values: Mapping[str, Any] | str | None = None,
    *,
    env: Mapping[str, str] | None = None,
    launcher: Sequence[str] = (),
    within: float = 30,
) -> AsyncGenerator[Server]:
    """Start Canopy with these values in `folder` (its database too) on a free port, and end it afterwards.

    `env` adds to the environment and `launcher` stands before the command. The caller's own CANOPY_* variables are not
    handed on. A server that is given nothing but Canopy's own settings is forked from a process that has imported it,
    and finds an empty database, for a fifth of the work.
    """
    config_path = None
    if values is not None:
        config_path = folder / "values.yaml"
        config_path.write_text(values if isinstance(values, str) else yaml.safe_dump(dict(values)))
    environment = without_own() | {"CANOPY_PORT": "0", "CANOPY_STORE_URL": f"sqlite:///{folder / 'canopy.db'}"}
    if config_path:
        environment["CANOPY_CONFIG_PATH"] = str(config_path)
    environment |= env or {}
    async with _pipe() as (lines, output, out), _pipe() as (errors, _, err):
        if not launcher and begins_alike(environment):
            if not (folder / "canopy.db").exists():
                (folder / "canopy.db").write_bytes(empty_database())
            process: asyncio.subprocess.Process | Forked = await fork(["serve"], folder, environment, out, err)
        else:
            process = await asyncio.create_subprocess_exec(
                *launcher,
                sys.executable,
                "-m",
                "canopy",
                "serve",
                env=environment,
                cwd=folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
    server = Server(process, "", config_path, output)
    readers = [asyncio.create_task(_read_lines(server, lines)), asyncio.create_task(_read_errors(server, errors))]
    try:
        started = asyncio.create_task(server.event("canopy_started", within=within))
        ended = asyncio.create_task(process.wait())
        await asyncio.wait({started, ended}, return_when=asyncio.FIRST_COMPLETED)
        if not started.done():
            started.cancel()
            await asyncio.gather(*readers)
            written = b"\n".join([*server.lines, server.errors]).decode()
            raise RuntimeError(f"Canopy ended with status {process.returncode}:\n{written}")
        ended.cancel()
        (where,) = await started
        server.url, server.operations_url = where["address"], where["operations_address"]
        yield server
    finally:
        await _end(process)
        await asyncio.gather(*readers)


@cache
def empty_database() -> bytes:
    """SQLite's file with all tables and nothing in them, which takes longer to make than to copy."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "canopy.db"
        migrate_database(f"sqlite:///{file}")
        return file.read_bytes()


async def _end(process: asyncio.subprocess.Process | Forked) -> None:
    """Kill it. Where it is measured what runs, the process is asked to end first: a killed one can't write it down."""
    if process.returncode is None and "COVERAGE_PROCESS_CONFIG" in os.environ:
        process.send_signal(signal.SIGTERM)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), 30)
    if process.returncode is None:
        process.kill()
    await process.wait()


@asynccontextmanager
async def _pipe() -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.ReadTransport, int]]:
    """A pipe that is read here, and the descriptor to write to, which is closed in the end: then another has it."""
    reading, writing = os.pipe()
    reader = asyncio.StreamReader(limit=16 * 1024 * 1024)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(reading, "rb", 0)
    )
    try:
        yield reader, transport, writing
    finally:
        os.close(writing)


async def _read_lines(server: Server, lines: asyncio.StreamReader) -> None:
    async for line in lines:
        server.lines.append(line.rstrip(b"\n"))
        server.arrived.set()


async def _read_errors(server: Server, errors: asyncio.StreamReader) -> None:
    server.errors = await errors.read()
