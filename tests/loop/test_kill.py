"""Kill -9 at random moments while votes pour in: every acknowledged vote is there, none twice."""

import asyncio
import itertools
import random
import signal
from collections import Counter
from collections.abc import Generator
from pathlib import Path

import httpx
import pytest

from tests.support.postgres import PostgresServer, PostgresUnavailable
from tests.support.server import running_server

VOTERS = 8
ROUNDS = 4
SEED = 20260131


class Voters:
    """Clients that vote without pause, and try a vote again, under its key, until it is acknowledged."""

    def __init__(self) -> None:
        self.acknowledged: dict[str, str] = {}  # the vote's text: its feedback id
        self.url: str | None = None  # None while the server is down
        self._numbers = itertools.count()
        self._stopping = False

    async def vote(self) -> None:
        while not self._stopping:
            text = f"text {next(self._numbers)}"
            while not await self._acknowledged(text):
                await asyncio.sleep(0.01)

    async def _acknowledged(self, text: str) -> bool:
        if self.url is None:
            return False
        body = {"input_text": text, "response_text": "a summary", "rating": "thumbs_down"}
        try:
            async with httpx.AsyncClient(base_url=self.url, timeout=10) as client:
                response = await client.post("/feedback", json=body, headers={"idempotency-key": f"key of {text}"})
        except httpx.TransportError:
            return False
        if response.status_code == 503:
            return False
        assert response.status_code == 200, response.text
        self.acknowledged[text] = response.json()["feedback_id"]
        return True

    async def finish(self, tasks: list[asyncio.Task[None]]) -> None:
        self._stopping = True
        async with asyncio.timeout(20):
            await asyncio.gather(*tasks)


async def stored(url: str) -> list[tuple[str, str]]:
    """Every vote's text and id, by the pages that anyone reads."""
    found: list[tuple[str, str]] = []
    async with httpx.AsyncClient(base_url=url, timeout=20) as client:
        cursor: dict[str, str] = {}
        while True:
            page = (await client.get("/feedback", params={"limit": "200", **cursor})).json()
            found += [(entry["input_text"], entry["id"]) for entry in page["feedback"]]
            if page["next"] is None:
                assert page["total"] == len(found)
                return found
            cursor = {"cursor": page["next"]}


def check(voters: Voters, found: list[tuple[str, str]]) -> None:
    assert len(voters.acknowledged) > ROUNDS * VOTERS
    assert [text for text, times in Counter(text for text, _ in found).items() if times > 1] == []
    kept = dict(found)
    assert {text: kept.get(text) for text in voters.acknowledged} == voters.acknowledged


@pytest.fixture(scope="module")
def postgres() -> Generator[PostgresServer]:
    try:
        with PostgresServer(fsync=True) as server:
            yield server
    except PostgresUnavailable as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
async def test_canopy_killed_while_votes_pour_in(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    env = {}
    if engine == "postgres":
        env["CANOPY_STORE_URL"] = request.getfixturevalue("postgres").create_database()
    dice = random.Random(SEED)
    voters = Voters()
    tasks = [asyncio.create_task(voters.vote()) for _ in range(VOTERS)]
    for _ in range(ROUNDS):
        async with running_server(tmp_path, {"LLAMA_STACK_URL": "http://127.0.0.1:1"}, env=env) as server:
            voters.url = server.url
            enough = len(voters.acknowledged) + VOTERS
            async with asyncio.timeout(20):
                while len(voters.acknowledged) < enough:
                    await asyncio.sleep(0.01)
            await asyncio.sleep(dice.random() / 4)
            server.process.kill()
            await server.process.wait()
            voters.url = None
    async with running_server(tmp_path, {"LLAMA_STACK_URL": "http://127.0.0.1:1"}, env=env) as server:
        voters.url = server.url
        await voters.finish(tasks)
        check(voters, await stored(server.url))


async def test_postgresql_killed_under_canopy_while_votes_pour_in(postgres: PostgresServer, tmp_path: Path) -> None:
    env = {"CANOPY_STORE_URL": postgres.create_database()}
    dice = random.Random(SEED)
    voters = Voters()
    async with running_server(tmp_path, {"LLAMA_STACK_URL": "http://127.0.0.1:1"}, env=env) as server:
        voters.url = server.url
        tasks = [asyncio.create_task(voters.vote()) for _ in range(VOTERS)]
        for _ in range(2):
            enough = len(voters.acknowledged) + 2 * VOTERS
            async with asyncio.timeout(20):
                while len(voters.acknowledged) < enough:
                    await asyncio.sleep(0.01)
            await asyncio.sleep(dice.random() / 4)
            await asyncio.to_thread(postgres.stop, signal.SIGQUIT)  # PostgreSQL calls it an immediate shutdown: a crash
            await asyncio.to_thread(postgres.start)
        await voters.finish(tasks)
        check(voters, await stored(server.url))
