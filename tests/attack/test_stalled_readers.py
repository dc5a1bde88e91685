"""Attacks by readers that don't read: they keep their place at the model, and what they don't read fills memory."""

import asyncio
import json
import socket
from contextlib import AsyncExitStack, ExitStack
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from tests.http.conftest import ENVIRONMENT, summarize, values
from tests.support.model_scripts import Script
from tests.support.model_server import FakeModelServer
from tests.support.server import Server, running_server

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.own_server]

MIB = 2**20
# A million characters, the most that a reply may have, of which each is six bytes in JSON: no socket buffers that much.
LONG = Script(tokens=("\x01" * 2_000,), count=500, rate=400)


def _ask(server: Server, route: str) -> socket.socket:
    """Ask for a stream, and never read a byte of it."""
    place = urlsplit(server.url)
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    connection.connect((place.hostname, place.port))
    body = json.dumps({"prompt": "A text."}).encode()
    head = f"POST {route} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.sendall(head.encode() + body)
    return connection


@pytest.mark.parametrize("route", ["/summarize", "/summarize/ab"])
async def test_holding_every_place_without_reading(
    model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory, route: str
) -> None:
    folder = tmp_path_factory.mktemp("stalled")
    config = values(model, summarize={"prompt_b": "Be brief:"}, ab_testing={"enabled": True})
    env = ENVIRONMENT | {
        "CANOPY_MAX_GENERATIONS": "8",
        "CANOPY_MODEL_TOKEN_TIMEOUT_SECONDS": "1",
        "CANOPY_MODEL_FIRST_TOKEN_TIMEOUT_SECONDS": "20",
        "CANOPY_KEEPALIVE_INTERVAL_SECONDS": "15",
        "CANOPY_QUEUE_TIMEOUT_SECONDS": "20",
    }
    model.scripts.clear()
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(running_server(folder, config, env=env))
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=server.url, timeout=60))
        await summarize(client)
        process = psutil.Process(server.process.pid)
        before = process.memory_info().rss
        model.scripts["llama32"] = LONG
        connections = stack.enter_context(ExitStack())
        asked = 8 if route == "/summarize" else 4
        for _ in range(asked):
            connections.enter_context(_ask(server, route))
        most = 0
        cancelled: list[object] = []
        async with asyncio.timeout(30):
            while len(cancelled) < 8:
                most = max(most, process.memory_info().rss)
                await asyncio.sleep(0.05)
                cancelled = [it for it in server.events("generation_finished") if it["status"] == "cancelled"]
        assert most - before < 8 * 8 * MIB
        model.scripts.clear()
        await summarize(client)  # a place is free, while the connections are open still
        assert "canopy_generations_in_flight 0.0" in (await client.get("/metrics")).text
