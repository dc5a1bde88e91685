"""Clients that ask for much and go away cost no more than what was done while they waited."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import psutil
import pytest
import pytest_asyncio

from bench.fill import fill
from tests.http.conftest import ENVIRONMENT, drain, values
from tests.support.model_scripts import Script
from tests.support.model_server import FakeModelServer
from tests.support.raw import connection
from tests.support.server import Server, running_server

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.own_server]

VOTES = 60_000
CLIENTS = 20


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def full(model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    """A server with so many votes that to read all takes a while."""
    folder: Path = tmp_path_factory.mktemp("full")
    await asyncio.to_thread(fill, folder / "canopy.db", VOTES, text_size=200, share_down=0.9)
    async with running_server(
        folder, values(model), env=ENVIRONMENT | {"CANOPY_SCAN_TIMEOUT_SECONDS": "600"}
    ) as server:
        yield server


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("/feedback/review", "*/*"),
        ("/feedback/review?state=all&limit=50", "*/*"),
        ("/feedback/export?prompt_id=none&q=zzzzzzzz", "*/*"),
        ("/feedback/export?since=2020-01-01", "*/*"),
        ("/feedback/file?format=csv", "*/*"),
        ("/feedback/file?q=zzzzzzzz", "*/*"),
        ("/feedback/stats", "*/*"),
        ("/feedback/ab", "*/*"),
        ("/feedback", "text/html"),
    ],
)
async def test_reads_whose_client_goes_away_end(full: Server, path: str, accept: str) -> None:
    """Many ask and don't wait; the server works on what began for no longer than for a few of them."""
    process = psutil.Process(full.process.pid)
    async with httpx.AsyncClient(base_url=full.url, timeout=300, headers={"Accept": accept}) as client:
        began = _used(process)
        await client.get(path)
        one = _used(process) - began
        before = len(full.events("http_request"))
        began = _used(process)
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(connection(full.url)) for _ in range(CLIENTS)]
            for each in clients:
                await each.send(f"GET {path} HTTP/1.1\r\nHost: canopy\r\nAccept: {accept}\r\n\r\n".encode())
        ended = await full.event("http_request", before + CLIENTS, within=120)
        assert 499 in [event["http_response_status_code"] for event in ended[before:]]
        assert (await client.get("/feedback?limit=1", headers={"Accept": "*/*"})).status_code == 200
        assert _used(process) - began < CLIENTS / 3 * one + 1


async def test_going_away_with_another_request_behind(full: Server, model: FakeModelServer) -> None:
    """The request in progress hears of it, also where the last one that came is another."""
    model.scripts["llama32"] = Script(tokens=("word ",), count=100_000, rate=5)
    await drain(model)
    failures = len(full.events("request_failed"))
    for stream in (True, False):
        body = json.dumps({"prompt": "A text.", "stream": stream}).encode()
        head = f"POST /summarize HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        async with connection(full.url) as it, asyncio.timeout(30):
            await it.send(head.encode() + b"\r\n\r\n" + body)
            asked = await model.next_request()
            await it.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            await asyncio.sleep(0.2)  # until it is read
        async with asyncio.timeout(30):
            await asked.disconnected.wait()
    model.scripts.clear()
    ended = await full.event("generation_finished", 2)
    assert [event["status"] for event in ended] == ["cancelled"] * 2
    assert len(full.events("request_failed")) == failures


def _used(process: psutil.Process) -> float:
    """Seconds of work that the process has done."""
    times = process.cpu_times()
    return float(times.user + times.system)
