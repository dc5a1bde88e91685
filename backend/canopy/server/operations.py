"""The operations listener: probes and metrics on a separate port."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Generator
from functools import partial
from typing import cast

import uvicorn

from canopy.app import Application
from canopy.server.connection import Connection
from canopy.server.connections import Connections
from canopy.server.listening import address_of, listen

_MOST_CONNECTIONS = 32  # of kubelets, Prometheus and people; a flood must not use up the open files
_CLOSING_SECONDS = 1  # for a pending answer when the process ends


@contextlib.asynccontextmanager
async def operations_listener(application: Application) -> AsyncGenerator[str | None]:
    """Listen while the context is open, if CANOPY_OPERATIONS_PORT is set; yields the URL or None.

    The context encloses start and shutdown of everything else, so that probes are answered while a store migrates and
    while open streams finish. Raises ConfigError when the address can't be listened on.
    """
    settings = application.context.settings
    if settings.operations_port is None:
        yield None
        return
    host = settings.operations_host or settings.host
    with listen(host, settings.operations_port, "CANOPY_OPERATIONS_PORT or CANOPY_OPERATIONS_HOST") as listener:
        own = settings.model_copy(update={"max_connections": min(settings.max_connections, _MOST_CONNECTIONS)})
        connections = Connections(own, application.context.telemetry)
        server = _OperationsServer(
            uvicorn.Config(
                application.operations,
                http=cast(type[asyncio.Protocol], partial(Connection, connections)),
                loop="asyncio",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                ws="none",
                lifespan="off",
                timeout_graceful_shutdown=_CLOSING_SECONDS,
            )
        )
        serving = asyncio.create_task(server.serve([listener]))
        try:
            yield address_of(listener)
        finally:
            server.should_exit = True
            await serving


class _OperationsServer(uvicorn.Server):
    """A uvicorn server that leaves signals to the main server."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Handle no signals."""
        yield
