"""What a model server that behaves is asked, and what becomes of its answer."""

import asyncio
import subprocess
import sys
from contextlib import aclosing

import pytest

from canopy.inference.llama_stack import LlamaStackInference
from canopy.inference.protocol import ChatRequest, Completed, Message
from tests.contract.inference.conftest import read, request, until
from tests.support.model_scripts import TOKENS
from tests.support.model_server import FakeModelServer

pytestmark = pytest.mark.asyncio(loop_scope="session")


def client_of(url: str) -> LlamaStackInference:
    """One that waits for as long as a busy machine may take; no test here is about time-outs."""
    return LlamaStackInference(url, connect_timeout=30, first_token_timeout=30, token_timeout=30, retries=0)


async def test_tokens_arrive_in_order_and_end_with_usage(inference: LlamaStackInference) -> None:
    texts, completed = await read(inference, "fake")
    assert tuple(texts) == TOKENS
    assert completed == Completed("stop", "fake", input_tokens=7, output_tokens=len(TOKENS))


async def test_the_server_is_asked_for_exactly_what_the_request_says(
    inference: LlamaStackInference, model: FakeModelServer
) -> None:
    messages = (Message("system", "Be brief."), Message("user", "Ü 🌱\u2028\x00"), Message("assistant", "ok"))
    asked = ChatRequest("fake", messages, 0.9, 4096, trace_headers=(("traceparent", "00-ab-cd-01"),))
    async for _ in inference.stream(asked):
        pass
    seen = model.requests[-1]
    assert seen.body == {
        "model": "fake",
        "messages": [{"role": message.role, "content": message.content} for message in messages],
        "temperature": 0.9,
        "max_tokens": 4096,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert seen.headers["traceparent"] == "00-ab-cd-01"
    assert seen.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("script", ["crlf", "split", "reasoning", "llama_stack"])
async def test_the_text_does_not_depend_on_how_the_stream_is_written(
    inference: LlamaStackInference, script: str
) -> None:
    texts, completed = await read(inference, script)
    assert "".join(texts) == "".join(TOKENS)
    assert completed.output_tokens == len(TOKENS)


async def test_the_end_by_max_tokens_is_a_complete_reply_that_says_so(inference: LlamaStackInference) -> None:
    _, completed = await read(inference, "length")
    assert completed.finish_reason == "length"


async def test_a_server_that_counts_nothing_leaves_the_counts_open(inference: LlamaStackInference) -> None:
    _, completed = await read(inference, "no_usage")
    assert completed == Completed("stop", "no_usage", None, None)


async def test_tokens_of_one_read_come_together(inference: LlamaStackInference) -> None:
    items = [item async for item in inference.stream(request("fake?count=50"))]
    assert len(items) < 10
    assert [text for item in items if isinstance(item, list) for text in item] == list(TOKENS * 4)[:50]


async def test_tokens_come_as_soon_as_they_are_there(inference: LlamaStackInference, model: FakeModelServer) -> None:
    async with aclosing(inference.stream(request("silence"))) as reply:
        await anext(reply)
        assert not model.requests[-1].finished.is_set()


async def test_reasoning_is_no_part_of_the_answer(inference: LlamaStackInference) -> None:
    texts, _ = await read(inference, "reasoning")
    assert tuple(texts) == TOKENS


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
async def test_the_url_may_end_in_v1(model: FakeModelServer, suffix: str) -> None:
    client = client_of(model.url + suffix)
    await read(client, "fake")
    await client.close()
    assert model.requests[-1].path == "/v1/chat/completions"


async def test_the_description_names_the_server_without_its_password() -> None:
    assert client_of("http://me:secret@localhost:8321/v1").description == "the model server at http://localhost:8321"


async def test_the_configured_model_is_the_one_that_answers(inference: LlamaStackInference) -> None:
    assert inference.model_name("llama32") == "llama32"


async def test_hundreds_of_streams_run_at_once(model: FakeModelServer) -> None:
    client = client_of(model.url)
    streams = [client.stream(request("silence")) for _ in range(300)]
    first = await asyncio.gather(*(anext(stream) for stream in streams))
    assert all(first)
    for stream in streams:
        await stream.aclose()
    await client.close()


async def test_connections_are_used_again_and_none_is_left_at_the_end() -> None:
    async with FakeModelServer() as model:
        client = client_of(model.url)
        for _ in range(5):
            await read(client, "fake")
        assert model.connections_made == 1
        await client.close()
        await until(lambda: not model.connections)


async def test_starting_does_not_wait_for_a_server(unused_tcp_port: int) -> None:
    client = client_of(f"http://127.0.0.1:{unused_tcp_port}")
    await client.start()
    await client.close()


async def test_loading_the_client_library_leaves_logging_as_it_was() -> None:
    program = (
        "import logging; root = logging.getLogger(); before = (list(root.handlers), root.level);"
        "import canopy.inference.upstream; assert (list(root.handlers), root.level) == before"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stderr=subprocess.PIPE)
    _, errors = await process.communicate()
    assert (process.returncode, errors) == (0, b"")


async def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    program = (
        "import sys, canopy.inference;"
        "sys.exit(str({'llama_stack_client', 'httpx', 'aiohttp', 'xllamacpp'} & set(sys.modules) or ''))"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stderr=subprocess.PIPE)
    assert (await process.communicate())[1].strip() == b""
