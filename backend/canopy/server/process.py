"""Runs uvicorn with a graceful shutdown."""

import asyncio
import contextlib
import ctypes
import gc
import math
import signal
import socket
from collections.abc import Callable, Generator
from functools import partial
from types import FrameType
from typing import cast

import uvicorn

from canopy import __version__
from canopy.app import Application, report_open_access, running
from canopy.server.connection import Connection
from canopy.server.connections import Connections
from canopy.server.listening import address_of, listen
from canopy.server.operations import operations_listener
from canopy.telemetry.events import Draining, Started, Stopped

_CLOSING_SECONDS = 2  # for an interrupted stream to end with its error event, and for the log's reader
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # glibc's numbers of what `mallopt` sets
_TRIM_BYTES = 1_048_576  # free at the end of a heap before they are given back, so that reads don't move that end
_MMAP_BYTES = 300_000  # of one block; asyncio reads a model's 262,144 bytes at once, which must not take a mapping each
_TICK = 0.1  # seconds, uvicorn's own


def serve(application: Application, on_started: Callable[[Started], None]) -> None:
    """Serve until a signal ends the process; `on_started` receives the event with the address.

    Raises CanopyError when a part can't start or an address can't be listened on.
    """
    _return_freed_memory()
    server = _MainServer(application, on_started)
    settings = application.context.settings

    async def run() -> None:
        with listen(settings.host, settings.port, "CANOPY_PORT or CANOPY_HOST") as listener:
            async with operations_listener(application) as server.operations_address, running(application):
                await server.serve([listener])
        application.context.telemetry.emit(Stopped())
        application.context.telemetry.logs.close(_CLOSING_SECONDS)

    with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        runner.run(run())


def _return_freed_memory() -> None:
    """Let glibc give large blocks back to the system as soon as they are freed. Other C libraries are left alone.

    Else it takes any block that it frees for a reason to keep such blocks, up to 32 MiB each: long bodies and their
    texts leave holes in its heaps that take as much memory as what is held.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, _TRIM_BYTES)
        mallopt(_MMAP_THRESHOLD, _MMAP_BYTES)


class _MainServer(uvicorn.Server):
    """uvicorn, except that SIGTERM and SIGINT first make the process unready and end it after the drain delay.

    Open streams get the grace period to finish; a second signal ends the wait. The exit status is 0, because a
    requested end is no failure.
    """

    def __init__(self, application: Application, on_started: Callable[[Started], None]) -> None:
        self.operations_address: str | None = None
        self._context = application.context
        self._on_started = on_started
        self._loop: asyncio.AbstractEventLoop | None = None
        settings = self._context.settings
        connections = Connections(settings, self._context.telemetry)
        super().__init__(
            uvicorn.Config(
                application.asgi,
                # uvicorn calls it once per connection, as it would a class.
                http=cast(type[asyncio.Protocol], partial(Connection, connections)),
                loop="asyncio",  # it serves all ready sockets in one turn, so that under load tokens gather
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,  # `auth.trusted_proxies` compares the connecting address itself
                ws="none",
                lifespan="off",
                # Later than `_interrupt`: what that ends can still say so.
                timeout_graceful_shutdown=math.ceil(settings.grace_period_seconds) + _CLOSING_SECONDS,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and report the address."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if self.should_exit:
            return
        (listener,) = sockets or []
        address = address_of(listener)
        context = self._context
        config = context.config.current
        started = Started(
            version=__version__,
            address=address,
            operations_address=self.operations_address,
            config_revision=config.revision,
            flags={name: flag.on for name, flag in config.flags.items()},
            model_server=context.inference.description,
            store=context.store.description,
            git_revision=config.git_revision,
        )
        context.telemetry.emit(started)
        context.lifecycle.listen(address)
        report_open_access(context)
        self._on_started(started)
        gc.freeze()  # exclude what has been loaded from garbage collection, which pauses everything

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Wait for what is open, as uvicorn does, but after a second signal end it: asyncio's server waits for that."""
        ending = asyncio.create_task(super().shutdown(sockets))
        while not (await asyncio.wait({ending}, timeout=_TICK))[0]:
            if self.force_exit:
                for connection in tuple(self.server_state.connections):
                    connection.transport.abort()
        await ending

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Handle signals without re-raising them at the end, which would end the process by the signal."""
        originals = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in originals.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain at the first signal, end at the second."""
        del sig, frame
        lifecycle = self._context.lifecycle
        if lifecycle.state == "draining":
            self.should_exit = self.force_exit = True
            return
        lifecycle.drain()
        if self._loop is None:
            self.should_exit = True
        else:
            self._loop.call_soon_threadsafe(self._drain, self._loop)

    def _drain(self, loop: asyncio.AbstractEventLoop) -> None:
        self._context.telemetry.emit(Draining(open_requests=len(self.server_state.tasks)))
        loop.call_later(self._context.settings.drain_delay_seconds, self._exit)

    def _exit(self) -> None:
        self.should_exit = True
        if self._loop is not None:
            self._loop.call_later(self._context.settings.grace_period_seconds, self._context.pipeline.interrupt)
