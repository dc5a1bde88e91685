"""Searches over everything there is can't take the server from others."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import psycopg
import pytest
import pytest_asyncio

from bench.fill import fill
from tests.http.conftest import values
from tests.support.model_server import FakeModelServer
from tests.support.postgres import PostgresServer
from tests.support.raw import connection
from tests.support.server import Server, running_server

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.own_server]

NOWHERE = "%C3%B1%C3%A9"  # two letters that no text has: nothing but to read everything
VOTES = 60_000
SEARCHES = 32


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def full(model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    """A server with so many votes that to read all takes a while."""
    folder: Path = tmp_path_factory.mktemp("full")
    await asyncio.to_thread(fill, folder / "canopy.db", VOTES, text_size=4_000, share_down=0.1)
    async with running_server(folder, values(model), env={"CANOPY_SCAN_TIMEOUT_SECONDS": "600"}) as server:
        yield server


async def test_readiness_waits_for_no_search(full: Server) -> None:
    """More searches through everything than the store has readers, and probes that are answered before any of them.

    One probe would say little: a search reads in several turns, and a probe that waits for one turn of each is early.
    """
    before = len(full.events("http_request"))
    probes = 0
    async with httpx.AsyncClient(base_url=full.url, timeout=300) as client:
        searches = [asyncio.create_task(client.get(f"/feedback?q={NOWHERE}")) for _ in range(SEARCHES)]
        while not [search for search in searches if search.done() and search.result().status_code == 200]:
            assert (await client.get("/readyz")).status_code == 200
            probes += 1
        assert probes > 10
        answers = await asyncio.gather(*searches)
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses[:2] == [200, 200]
    refused = [answer for answer in answers if answer.status_code != 200]
    assert all(answer.json()["code"] == "scans_busy" and answer.headers["retry-after"] for answer in refused)
    await full.event("http_request", before + SEARCHES)  # the log is written after the answers


@pytest.mark.parametrize("accept", ["application/json", "text/html"])
async def test_searches_whose_client_goes_away_end(full: Server, accept: str) -> None:
    """Twenty searches by a client that doesn't wait, and then somebody who searches."""
    before = len(full.events("http_request"))
    for _ in range(20):
        async with connection(full.url) as it:
            request = f"GET /feedback?q={NOWHERE} HTTP/1.1\r\nHost: canopy\r\nAccept: {accept}\r\n\r\n"
            await it.send(request.encode())
    found = await full.event("http_request", before + 20)
    assert [event["http_response_status_code"] for event in found[before:]] == [499] * 20
    async with httpx.AsyncClient(base_url=full.url, timeout=300) as client:
        answer = await client.get("/feedback?q=qu&limit=1")
    assert answer.status_code == 200
    assert len(answer.json()["feedback"]) == 1
    await full.event("http_request", before + 21)


async def test_a_search_ends_in_time(full: Server, model: FakeModelServer, tmp_path: Path) -> None:
    """A search of everything says how far it came, and the client goes on from there."""
    folder = Path(str(full.config_path)).parent
    env = {"CANOPY_SCAN_TIMEOUT_SECONDS": "4", "CANOPY_STORE_URL": f"sqlite:///{folder / 'canopy.db'}"}
    async with (
        running_server(tmp_path, values(model), env=env) as server,
        httpx.AsyncClient(base_url=server.url, timeout=60) as client,
    ):
        answer = await client.get(f"/feedback?q={NOWHERE}")
        assert answer.status_code == 200
        page = answer.json()
        assert (page["feedback"], page["total"]) == ([], None)
        answer = await client.get(f"/feedback?q={NOWHERE}&cursor={page['next']}")
        assert answer.status_code == 200
        following = answer.json()
        assert following["searched_to"] is None or following["searched_to"] < page["searched_to"]


async def test_a_search_that_has_nothing_yet_ends_in_time(
    model: FakeModelServer, tmp_path: Path, postgres: PostgresServer
) -> None:
    """Its first statement does not end, as somebody holds the table. A sentence says how to ask for less."""
    url = postgres.create_database()
    env = {"CANOPY_SCAN_TIMEOUT_SECONDS": "1", "CANOPY_STORE_URL": url}
    async with (
        running_server(tmp_path, values(model), env=env) as server,
        httpx.AsyncClient(base_url=server.url, timeout=60) as client,
    ):
        with psycopg.connect(url) as holder:
            holder.execute("LOCK TABLE feedback")
            answer = await client.get(f"/feedback?q={NOWHERE}")
        assert answer.status_code == 503
        assert answer.json()["code"] == "scan_timeout"
        assert "Narrow it" in answer.json()["detail"]
        assert (await client.get(f"/feedback?q={NOWHERE}")).status_code == 200
