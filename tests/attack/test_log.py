"""Through the log: a reader that stops or goes away, and clients that have libraries write for them."""

import asyncio
import logging
import signal
from collections.abc import AsyncGenerator
from io import BytesIO
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from canopy.telemetry import Logs
from canopy.text.addresses import without_credentials
from tests.http.conftest import ENVIRONMENT, values
from tests.support.model_server import FakeModelServer
from tests.support.scraping import scrape
from tests.support.server import Server, running_server

pytestmark = pytest.mark.own_server

VOTE = {"input_text": "x", "response_text": "y", "rating": "thumbs_up"}


@pytest_asyncio.fixture(loop_scope="session")
async def server(model: FakeModelServer, tmp_path: Path) -> AsyncGenerator[Server]:
    async with running_server(tmp_path, values(model), env=ENVIRONMENT) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def http(server: Server) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url, timeout=20) as http:
        yield http


@pytest.mark.asyncio(loop_scope="session")
async def test_a_log_whose_reader_stops_holds_up_nobody(server: Server, http: httpx.AsyncClient) -> None:
    server.output.pause_reading()
    for _ in range(1_000):  # lines of some hundred bytes: several times what a pipe holds
        assert (await http.get("/no-such-address")).status_code == 404
    assert (await http.post("/feedback", json=VOTE)).status_code == 200
    assert (await http.get("/readyz")).status_code == 200
    server.output.resume_reading()
    await server.event("feedback_submitted")
    server.output.pause_reading()
    for _ in range(1_000):
        assert (await http.get("/no-such-address")).status_code == 404
    server.process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(30):
        assert await server.process.wait() == 0
    server.output.resume_reading()


@pytest.mark.asyncio(loop_scope="session")
async def test_a_log_that_cannot_be_written_costs_no_vote_and_no_reload(
    model: FakeModelServer, server: Server, http: httpx.AsyncClient
) -> None:
    server.output.close()
    assert (await http.post("/feedback", json=VOTE)).status_code == 200
    for enabled in (False, True, False):  # each is taken up: who watches has survived the one before
        server.write_values(values(model, feedback={"enabled": enabled}))
        async with asyncio.timeout(20):
            while (await http.get("/feature-flags")).json()["feedback"] is not enabled:
                await asyncio.sleep(0.05)
    assert "\ncanopy_log_lines_lost_total 0.0" not in await scrape(http)
    assert await server.stop() == 0


def written(stream: BytesIO) -> list[bytes]:
    return stream.getvalue().splitlines()


def test_a_library_writes_so_many_lines_in_a_second_and_no_longer_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    stream = BytesIO()
    logs = Logs(stream=stream)
    for _ in range(200):
        logs.emit_record(logging.LogRecord("x", logging.WARNING, "x", 1, "bad" * 30_000, None, None))
    assert len(written(stream)) == 50
    assert max(map(len, written(stream))) < 9_000
    now += 1
    logs.emit_record(logging.LogRecord("x", logging.WARNING, "x", 1, "more", None, None))
    assert b'"left_out":150' in written(stream)[-1]


@pytest.mark.parametrize("piece", ["bad", "a:", "@a:", "a@", ":", "http:/", "?", " a:@", "a: "])
def test_to_look_for_passwords_does_not_cost_the_square_of_a_text(piece: str) -> None:
    """A million characters, which would take hours."""
    without_credentials(piece * (1_000_000 // len(piece)))
