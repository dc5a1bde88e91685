"""Places and memory of the server, taken by clients that send or read slowly."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import psutil
import pytest

from bench.fill import fill
from tests.http.conftest import values
from tests.support.model_server import FakeModelServer
from tests.support.raw import connection
from tests.support.server import Server, running_server

pytestmark = [pytest.mark.asyncio, pytest.mark.own_server]

MB = 1_000_000
HEAD = b"POST /feedback HTTP/1.1\r\nHost: canopy\r\nContent-Type: application/json\r\nContent-Length: 999000\r\n\r\n"


def memory(server: Server) -> int:
    return int(psutil.Process(server.process.pid).memory_info().rss)


async def test_keeping_everybody_out_with_slow_bodies(model: FakeModelServer, tmp_path: Path) -> None:
    """Whoever comes later is served, in the place of the body that has been on its way for longest."""
    async with (
        running_server(tmp_path, values(model), env={"CANOPY_MAX_CONNECTIONS": "32"}) as server,
        AsyncExitStack() as stack,
    ):
        slow = [await stack.enter_async_context(connection(server.url)) for _ in range(30)]
        for client in slow:
            await client.send(HEAD)
        first = asyncio.create_task(slow[0].head())
        async with asyncio.timeout(60):
            while not first.done():  # more than there are places, once all of the slow ones are in progress
                http = await stack.enter_async_context(httpx.AsyncClient(base_url=server.url, timeout=20))
                assert (await http.get("/feature-flags")).status_code == 200
        assert b" 503 " in first.result()


async def test_filling_the_memory_with_bodies(model: FakeModelServer, tmp_path: Path) -> None:
    """250 bodies of a megabyte that never end: the first make way for the last, and others vote meanwhile."""
    async with running_server(tmp_path, values(model), env={"CANOPY_MAX_HELD_BYTES": "20000000"}) as server:
        before = memory(server)
        async with AsyncExitStack() as stack:
            for _ in range(250):
                client = await stack.enter_async_context(connection(server.url))
                client.writer.write(HEAD + b'{"input_text":"' + b"a" * 980_000)
            await asyncio.sleep(3)  # until all has come that will
            async with httpx.AsyncClient(base_url=server.url, timeout=20) as http:
                vote = {"input_text": "a" * 50_000, "response_text": "b", "rating": "thumbs_up"}
                assert (await http.post("/feedback", json=vote)).status_code == 200
            assert memory(server) - before < 120 * MB


async def test_asking_for_pages_and_not_reading_them(model: FakeModelServer, tmp_path: Path) -> None:
    """80 pages of eight million characters, asked for at once and left where they are."""
    await asyncio.to_thread(fill, tmp_path / "canopy.db", 80, text_size=100_000, share_down=0.5)
    async with (
        running_server(tmp_path, values(model), env={"CANOPY_MAX_HELD_BYTES": "20000000"}) as server,
        httpx.AsyncClient(base_url=server.url, timeout=60) as http,
    ):
        assert len((await http.get("/feedback?limit=200")).content) > 7 * MB
        before = memory(server)
        async with AsyncExitStack() as stack:
            for _ in range(80):
                client = await stack.enter_async_context(connection(server.url))
                client.reader._transport.pause_reading()  # type: ignore[attr-defined]  # nothing is read
                await client.send(b"GET /feedback?limit=200 HTTP/1.1\r\nHost: canopy\r\n\r\n")
            await server.event("http_request", 81, within=120)
            assert memory(server) - before < 200 * MB
            assert (await http.get("/readyz")).status_code == 200
