"""Scoring by a server that has another idea of it. The real one is in `tests/evals/test_scorers_llama_stack.py`."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from canopy.base.errors import ModelError, ModelTimeout
from canopy.base.settings import Settings
from canopy.inference.scoring import ScoringApi


@asynccontextmanager
async def answering(body: bytes, kind: str = "application/json") -> AsyncGenerator[ScoringApi]:
    """The API of a server that gives everybody the same answer."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/"
    async with server, ScoringApi(url, Settings(model_retries=0)) as api:
        yield api


@pytest.mark.parametrize("body", [b"{}", b"[]", b"null", b'{"data": [{}]}', b'{"data": null}', b'{"da'])
async def test_a_list_of_functions_that_is_none_means_no_scoring(body: bytes) -> None:
    async with answering(body) as api:
        with pytest.raises(ModelError, match="It has no scoring API"):
            await api.functions()


async def test_a_web_page_means_no_scoring() -> None:
    async with answering(b"<html>Welcome</html>", "text/html") as api:
        with pytest.raises(ModelError, match="It has no scoring API"):
            await api.functions()


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"null",
        b'{"results": {}}',
        b'{"results": {"f": {"score_rows": []}}}',
        b'{"results": {"f": {"score_rows": [null]}}}',
        b'{"results": {"f": {"score_rows": [["a"]]}}}',
        b'{"results',
    ],
)
async def test_an_answer_without_a_score_is_an_error(body: bytes) -> None:
    async with answering(body) as api:
        with pytest.raises(ModelError, match="doesn't hold a score"):
            await api.score("f", {}, {})


async def test_a_server_that_never_lists_its_functions_is_not_waited_for() -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, ScoringApi(url, Settings(model_retries=0, model_first_token_timeout_seconds=0.1)) as api:
        with pytest.raises(ModelTimeout):
            await api.functions()
