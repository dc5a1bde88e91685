"""Votes whose clients go away at once: what they sent must not fill the memory, or keep others' votes out."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from tests.http.conftest import ENVIRONMENT, lab_vote, values
from tests.support.model_server import FakeModelServer
from tests.support.postgres import PostgresServer
from tests.support.raw import connection
from tests.support.server import Server, running_server

pytestmark = [pytest.mark.asyncio, pytest.mark.own_server]

MIB = 2**20
WIDE = "\U0001f331" * 99_000  # four bytes of memory for each character


@asynccontextmanager
async def attacked(
    model: FakeModelServer, folder: Path, database: str | None = None, env: Mapping[str, str] | None = None
) -> AsyncGenerator[tuple[Server, httpx.AsyncClient]]:
    """A server that has voted once, and somebody who votes beside the attack."""
    config = values(model, rate_limits={"feedback": "", "foreign_votes_per_day": 0})
    # SQLite's file isn't there: a server that made its tables has memory to spare, as most that run have.
    place = {"CANOPY_STORE_URL": database or f"sqlite:///{folder}/new.db"}
    async with (
        running_server(folder, config, env={**ENVIRONMENT, **place, **(env or {})}) as server,
        httpx.AsyncClient(base_url=server.url, timeout=60, trust_env=False) as bystander,
    ):
        assert (await bystander.post("/feedback", json=lab_vote())).status_code == 200
        yield server, bystander


def long_vote(name: str) -> bytes:
    return json.dumps({"input_text": name + WIDE, "response_text": WIDE, "rating": 1}, ensure_ascii=False).encode()


def escaped_vote(name: str) -> bytes:
    """A body six times as long as its texts."""
    text = "\\u0041" * 80_000
    return f'{{"input_text":"{name}{text}","response_text":"{text}","rating":1}}'.encode()


async def leave(server: Server, body: bytes) -> None:
    """Send a vote, and don't wait for its answer."""
    head = (
        f"POST /feedback HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    async with connection(server.url) as it:
        try:
            await it.send(head.encode() + body)
        except ConnectionError:  # refused before it was whole
            return
        await asyncio.sleep(0.01)  # a close at once may reach the server before it reads


def memory(server: Server) -> int:
    return int(psutil.Process(server.process.pid).memory_info().rss)


def forget_peak(server: Server) -> None:
    Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")


def peak_memory(server: Server) -> int:
    """The most that it ever had since then, also between two looks."""
    lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    (peak,) = [line.split() for line in lines if line.startswith("VmHWM:")]
    return int(peak[1]) * 1024


@contextmanager
def stopped(postgres: PostgresServer, database: str) -> Generator[None]:
    """The database's processes that serve Canopy are there, and do nothing."""
    with postgres.connect("postgres") as conn:
        found = conn.execute("SELECT pid FROM pg_stat_activity WHERE datname = %s", (database.rpartition("/")[2],))
        pids = [int(str(pid)) for (pid,) in found]
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
async def test_leaving_long_votes_faster_than_they_are_stored(
    model: FakeModelServer, tmp_path: Path, postgres: PostgresServer, engine: str
) -> None:
    """600 votes of 800 kB are 480 MB, and twice that with the bytes they came in. Somebody else goes on voting."""
    database = postgres.create_database() if engine == "postgres" else None
    async with attacked(model, tmp_path, database) as (server, bystander):
        before = memory(server)
        forget_peak(server)

        async def client(number: int) -> None:
            for i in range(15):
                await leave(server, long_vote(f"{number} {i} "))

        attack = asyncio.gather(*(client(number) for number in range(40)))
        seen, voted = set(), 0
        while not attack.done() or voted < 5:
            seen.add((await bystander.post("/feedback", json=lab_vote(input_text=f"{voted}"))).status_code)
            seen.add((await bystander.get("/readyz")).status_code)
            voted += 1
        await attack
        assert seen == {200}
        assert peak_memory(server) - before < 200 * MIB
        refused = [each for each in server.events("store_failed") if "Too much waits" in each["error"]]
        assert len(refused) == len(server.events("store_failed"))


async def test_leaving_votes_while_the_database_hangs(
    model: FakeModelServer, tmp_path: Path, postgres: PostgresServer
) -> None:
    """What waits has a bound in bytes, and what comes beyond it is refused at once."""
    database = postgres.create_database()
    async with attacked(model, tmp_path, database) as (server, bystander):
        before = memory(server)
        forget_peak(server)
        with stopped(postgres, database):
            for i in range(250):
                await leave(server, long_vote(f"{i} "))
            assert (await bystander.get("/healthz")).status_code == 200
            assert peak_memory(server) - before < 150 * MIB
            refused = await server.event("store_failed", 150)
        assert all("Too much waits" in each["error"] for each in refused)
        assert (await bystander.post("/feedback", json=lab_vote(input_text="after"))).status_code == 200


async def test_leaving_bodies_that_are_longer_than_their_texts(
    model: FakeModelServer, tmp_path: Path, postgres: PostgresServer
) -> None:
    """Bytes of bodies count until their requests have ended. What is short still finds room."""
    database = postgres.create_database()
    room = {"CANOPY_MAX_HELD_BYTES": "4000000"}
    async with attacked(model, tmp_path, database, env=room) as (server, bystander):
        with stopped(postgres, database):
            for i in range(8):  # four fill the room; on a busy machine some are gone before they were read
                await leave(server, escaped_vote(f"{i} "))
            answer = await bystander.post(
                "/feedback", content=escaped_vote("next "), headers={"Content-Type": "application/json"}
            )
            assert (answer.status_code, answer.json().get("code")) == (503, "overloaded"), answer.text
            assert int(answer.headers["Retry-After"]) > 0
            short = asyncio.create_task(bystander.post("/feedback", json=lab_vote(input_text="short")))
            await asyncio.sleep(0.5)
        assert (await short).status_code == 200
        answer = await bystander.post(
            "/feedback", content=escaped_vote("last "), headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 200


async def test_leaving_more_requests_than_there_are_places(
    model: FakeModelServer, tmp_path: Path, postgres: PostgresServer
) -> None:
    """A request keeps its place until it has ended, also where its client has gone. Probes are answered beside them."""
    database = postgres.create_database()
    async with attacked(model, tmp_path, database, env={"CANOPY_MAX_CONNECTIONS": "32"}) as (server, bystander):
        with stopped(postgres, database):
            for i in range(100):
                await leave(server, json.dumps(lab_vote(input_text=f"left {i}")).encode())
            assert (await bystander.get("/healthz")).status_code == 200
            refused = await server.event("request_refused", 60)
        assert {each["code"] for each in refused} == {"overloaded"}
        async with asyncio.timeout(60):  # in which those that were left end
            while (await bystander.post("/feedback", json=lab_vote(input_text="after"))).status_code != 200:
                await asyncio.sleep(0.2)
        stored = (await bystander.get("/feedback/stats")).json()["other_texts"]["total"]
        assert stored <= 32 + 2
