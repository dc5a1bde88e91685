"""Memory, files and time of the server, taken with connections and heads; memory is compared with what it was."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import httpx
import psutil
import pytest

from tests.attack.conftest import Target
from tests.http.conftest import ENVIRONMENT, values
from tests.support.model_scripts import Script
from tests.support.model_server import FakeModelServer
from tests.support.raw import Connection, connection, status_of, statuses_of
from tests.support.server import Server, running_server

MIB = 2**20
GET = b"GET /feature-flags HTTP/1.1\r\nHost: canopy\r\n"
CHUNKED = (
    b"POST /feedback HTTP/1.1\r\nHost: canopy\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
)


async def dribble(client: Connection, content: bytes) -> None:
    """Send byte by byte for as long as the server lets it."""
    with suppress(ConnectionError):
        for byte in content:
            await client.send(bytes([byte]))
            await asyncio.sleep(0.05)


ENDLESS = {
    "a header": (GET + b"X-A: ", b"a" * 65_536),
    "a header's name": (GET, b"a" * 65_536),
    "spaces before a header": (GET + b"X-A:", b" " * 65_536),
    "many headers": (GET, b"X-A: b\r\n" * 8192),
    "tiny headers": (GET, b"a:\r\n" * 16_384),
    "an address": (b"GET /", b"a" * 65_536),
    "a query": (b"GET /feature-flags?", b"a" * 65_536),
    "blank lines before the request": (b"\r\n", b"\r\n" * 32_768),
    "a trailer": (CHUNKED + b"2\r\n{}\r\n0\r\nX-A: ", b"a" * 65_536),
    "many trailers": (CHUNKED + b"2\r\n{}\r\n0\r\n", b"X-A: b\r\n" * 8192),
    "a chunk's extension": (CHUNKED + b"2;a=", b"a" * 65_536),
}


def memory(server: Server) -> int:
    return int(psutil.Process(server.process.pid).memory_info().rss)


async def pour(client: Connection, content: bytes, times: int) -> None:
    """Send the content so many times, or until the server has had enough."""
    with suppress(ConnectionError, TimeoutError):
        for _ in range(times):
            await asyncio.wait_for(client.send(content), 20)


@pytest.mark.own_server
@pytest.mark.parametrize("request_", ENDLESS.values(), ids=ENDLESS.keys())
async def test_an_endless(request_: tuple[bytes, bytes], target: Target) -> None:
    assert target.server
    begin, more = request_
    before = memory(target.server)
    async with connection(target.url) as client:
        await client.send(begin)
        pouring = asyncio.create_task(pour(client, more, 1000))  # 64 MiB
        answer = await client.rest(within=60)
        await pouring
    assert statuses_of(answer) == [431]
    assert b'"code":"head_too_large"' in answer
    assert memory(target.server) - before < 16 * MIB


async def test_a_head_just_within_the_bound(target: Target) -> None:
    """The bound must not cut what it allows, wherever the head's bytes are split."""
    head = GET + b"X-A: " + b"a" * (65_536 - len(GET) - 100) + b"\r\n\r\n"
    async with connection(target.url) as client:
        for at in (1, 20_000, 40_000):
            await client.send(head[:at])
            await asyncio.sleep(0.05)
            await client.send(head[at:])
            answer = await client.head()
            assert status_of(answer) == 200
            await client.reader.readexactly(int(answer.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))


@pytest.mark.own_server
async def test_a_flood_of_pipelined_requests(target: Target) -> None:
    assert target.server
    before = memory(target.server)
    async with connection(target.url) as client:
        await pour(client, (GET + b"\r\n") * 20_000, 1)
        answer = await client.rest()
    assert 1 <= len(statuses_of(answer)) <= 9
    assert memory(target.server) - before < 16 * MIB


SHORT = ENVIRONMENT | {
    "CANOPY_HEAD_TIMEOUT_SECONDS": "1",
    "CANOPY_IDLE_TIMEOUT_SECONDS": "2",
    "CANOPY_MAX_CONNECTIONS": "32",
}


@pytest.fixture
async def short(model: FakeModelServer, tmp_path: Path) -> AsyncIterator[Server]:
    """A server with little patience and 32 places, 30 of them for requests in progress."""
    model.scripts.clear()
    async with running_server(tmp_path, values(model), env=SHORT) as server:
        yield server


@pytest.mark.own_server
async def test_heads_that_never_end(short: Server) -> None:
    async with connection(short.url) as silent, connection(short.url) as stuck, connection(short.url) as dribbling:
        await stuck.send(GET)
        slowly = asyncio.create_task(dribble(dribbling, GET + b"X-A: " + b"a" * 1000))
        assert await silent.rest(within=30) == b""
        for client in (stuck, dribbling):
            answer = await client.rest(within=30)
            assert statuses_of(answer) == [408]
            assert b'"code":"head_timeout"' in answer
        await slowly
    refusals = await short.event("request_refused", 2)
    assert {(event["http_response_status_code"], event["code"]) for event in refusals} == {(408, "head_timeout")}


@pytest.mark.own_server
async def test_a_head_that_never_ends_on_a_used_connection(short: Server) -> None:
    for more, expected in ((GET, [200, 408]), (b"\r\n", [200, 408]), (b"", [200])):
        async with connection(short.url) as client:
            await client.send(GET + b"\r\n")
            answer = await client.head()
            await client.send(more)
            assert statuses_of(answer + await client.rest(within=30)) == expected


@pytest.mark.own_server
async def test_taking_all_connections(short: Server) -> None:
    """Those that wait make room, the oldest first; whoever comes is served."""
    async with AsyncExitStack() as stack:
        oldest = await stack.enter_async_context(connection(short.url))
        for _ in range(200):
            await stack.enter_async_context(connection(short.url))
        assert await oldest.rest() == b""
        client = await stack.enter_async_context(connection(short.url))
        await client.send(GET + b"\r\n")
        assert status_of(await client.head()) == 200
        assert len(psutil.Process(short.process.pid).net_connections("tcp")) < 32 + 20


@pytest.mark.own_server
async def test_taking_all_connections_with_requests_in_progress(tmp_path: Path) -> None:
    """Further requests are refused with a sentence, and probes are answered: the process is busy, not dead."""
    body = b'{"prompt":"a"}'
    asked = (
        b"POST /summarize HTTP/1.1\r\nHost: canopy\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    )
    env = {"CANOPY_MAX_CONNECTIONS": "32"}
    async with (
        FakeModelServer() as model,  # of its own: these streams outlive the test
        running_server(tmp_path, values(model), env=env) as server,
        AsyncExitStack() as stack,
    ):
        model.scripts["llama32"] = Script(rate=2, count=200)
        held = [await stack.enter_async_context(connection(server.url)) for _ in range(30)]
        for busy in held:
            await busy.send(asked)
        heads = await asyncio.gather(*(busy.head(within=60) for busy in held))
        assert {status_of(head) for head in heads} == {200}
        async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
            refused = await client.get("/feature-flags")
            assert refused.status_code == 503
            assert refused.json()["code"] == "overloaded"
            assert refused.headers["retry-after"] == "5"
            assert refused.headers["x-request-id"] == refused.json()["request_id"]
            assert (await client.get("/healthz")).status_code == 200


@pytest.mark.own_server
async def test_a_reader_that_does_not_read(model: FakeModelServer, tmp_path: Path) -> None:
    """Answers that nobody takes are held for the idle time, a bounded part of each, and then dropped.

    Held before as well: this keeps it so.
    """
    async with running_server(tmp_path, values(model), env=SHORT | {"CANOPY_MAX_CONNECTIONS": "200"}) as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=30) as http:
            page = len((await http.get("/openapi.json")).content)
        asked = GET.replace(b"/feature-flags", b"/openapi.json") + b"\r\n"
        process = psutil.Process(server.process.pid)
        before = memory(server)
        async with AsyncExitStack() as stack:
            for _ in range(100):
                client = await stack.enter_async_context(connection(server.url))
                client.reader._transport.pause_reading()  # type: ignore[attr-defined]  # the socket fills up
                task = asyncio.create_task(pour(client, asked * 8, 40))
                stack.callback(task.cancel)
            async with asyncio.timeout(60):
                while len(process.net_connections("tcp")) > 20:
                    await asyncio.sleep(0.2)
        assert memory(server) - before < 100 * (page * 8 + MIB // 4)


@pytest.mark.own_server
async def test_a_body_that_nobody_reads_and_that_never_ends(target: Target) -> None:
    """It is thrown away for a few seconds after the answer, and costs no memory."""
    assert target.server
    before = memory(target.server)
    head = GET[:-2] + b"\r\nContent-Length: 1000000000\r\n\r\n"
    async with connection(target.url) as client:
        await client.send(head)
        pouring = asyncio.create_task(pour(client, b"a" * 65_536, 10_000))
        answer = await client.rest(within=60)
        await pouring
    assert statuses_of(answer) == [200]
    assert memory(target.server) - before < 16 * MIB
