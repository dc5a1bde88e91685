"""What clients choose tries to fill the server's memory, its metrics and its disk."""

import asyncio
import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.attack.conftest import Target
from tests.http.conftest import ENVIRONMENT, lab_vote, values
from tests.support.model_server import FakeModelServer
from tests.support.raw import connection, status_of
from tests.support.scraping import scrape
from tests.support.server import running_server

pytestmark = pytest.mark.asyncio(loop_scope="session")
MIB = 2**20


def votes() -> Iterator[bytes]:
    """Requests of which each says something new in every field that a client may choose."""
    for number in itertools.count():
        body = {
            "input_text": f"input {number}",
            "response_text": f"response {number}",
            "rating": number % 5 + 1,
            "comment": f"comment {number}",
            "user_id": f"user {number}",
            "session_id": f"session {number}",
        }
        if number % 4 == 0:
            body["name"] = f"name_{number}"
        content = json.dumps(body).encode()
        yield (
            b"POST /feedback?q%d=%d HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Session-Id: s%d\r\n"
            b"Idempotency-Key: k%d\r\nUser-Agent: a%d\r\nX-Field-%d: x\r\nContent-Length: %d\r\n\r\n%b"
            % (number, number, number, number, number, number, len(content), content)
        )


async def send(url: str, requests: Iterator[bytes], count: int) -> set[int]:
    """Send so many requests over a few connections. The statuses of the answers."""
    left = itertools.islice(requests, count)

    async def one() -> set[int]:
        statuses = set()
        async with connection(url) as it:
            for content in left:
                await it.send(content)
                head = await it.head(60)
                statuses.add(status_of(head))
                length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
                await it.reader.readexactly(int(length.partition(b":")[2]))
        return statuses

    return set().union(*await asyncio.gather(*(one() for _ in range(16))))


@pytest.mark.own_server
@pytest.mark.timeout(600)
async def test_sending_something_new_in_every_field(model: FakeModelServer, tmp_path: Path) -> None:
    """Neither the memory nor the metrics of a server that has warmed up grow with what clients make up."""
    config = values(model, rate_limits={"feedback": "", "read": ""})
    async with running_server(tmp_path, config, env=ENVIRONMENT) as server:
        process, requests = psutil.Process(server.process.pid), votes()
        async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:

            async def series() -> int:
                text = await scrape(client)
                return sum(not line.startswith("#") for line in text.splitlines())

            assert await send(server.url, requests, 4_000) == {200, 422}
            assert await series()  # the first scrape and the first look at the statistics have series of their own
            assert (await client.get("/feedback/stats")).status_code == 200
            memory, metrics = process.memory_info().rss, await series()
            assert await send(server.url, requests, 20_000) == {200, 422}
            assert await series() <= metrics + 2
            assert process.memory_info().rss - memory < 16 * MIB
            found = (await client.get("/feedback/stats")).json()
            assert (found["other_texts"]["total"], found["other_names"]) == (18_000, {})


@pytest.mark.parametrize(
    "field", ["input_text", "response_text", "comment", "user_id", "session_id", "feature", "name"]
)
async def test_storing_a_megabyte_with_one_vote(target: Target, field: str) -> None:
    """Every text that is stored has a bound of its own, far below that of a request."""
    async with target.client() as client:
        answer = await client.post("/feedback", json=lab_vote(**{field: "x" * 900_000}))
    assert answer.status_code in {403, 422}
    assert len(answer.text) < 1_000


async def test_talking_about_ten_texts_of_the_greatest_length(target: Target) -> None:
    """A conversation has a bound in all, not for each of its turns alone."""
    turns = [{"role": role, "content": "x" * 90_000} for role in ("user", "assistant") * 5]
    async with target.client() as client:
        answer = await client.post("/summarize/chat", json={"messages": turns[:9]})
    assert answer.status_code == 422
    assert "the limit is" in answer.json()["detail"]
