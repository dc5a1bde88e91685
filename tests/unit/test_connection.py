"""A client's connection, as the server's own listening socket makes it."""

import asyncio
import socket
from functools import partial
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from canopy.base.settings import Settings
from canopy.server.connection import Connection
from canopy.server.connections import Connections
from canopy.server.listening import listen
from canopy.telemetry import Logs, Metrics, Telemetry, Traces


async def _no_application(scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG001 - ASGI has these three
    raise AssertionError("nobody asks anything")


async def test_small_writes_are_sent_at_once() -> None:
    """Else each response and each token waits for the acknowledgement of what was sent before it."""
    made: list[asyncio.BaseTransport] = []
    connected = asyncio.Event()

    class Seen(Connection):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            made.append(transport)
            connected.set()

    connections = Connections(Settings(), Telemetry(Logs("info"), Metrics(), Traces(span_events=False)))
    config = uvicorn.Config(_no_application, lifespan="off", ws="none", log_config=None)
    config.load()
    state: dict[str, Any] = {}
    protocol = partial(Seen, connections, config=config, server_state=ServerState(), app_state=state)
    with listen("127.0.0.1", 0, "CANOPY_PORT") as listener:
        server = await asyncio.get_running_loop().create_server(protocol, sock=listener)
        _, writer = await asyncio.open_connection(*listener.getsockname())
        await connected.wait()
        assert made[0].get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        writer.close()
        made[0].abort()  # type: ignore[attr-defined]  # a socket's transport has it
        server.close()
        await server.wait_closed()
        await writer.wait_closed()
