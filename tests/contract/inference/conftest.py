"""One client against one model server that misbehaves on request, for the whole folder.

Sharing them is part of the test: whatever one failure leaves behind, the next call has to live with.
"""

import asyncio
import gc
import itertools
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager

import pytest_asyncio

from canopy.inference.llama_stack import LlamaStackInference
from canopy.inference.protocol import ChatRequest, Completed, Inference, Message, ValueKeys
from tests.support.model_scripts import TOKENS
from tests.support.model_server import FakeModelServer

# Each of its own length, so that a sentence tells which one ended a wait.
FIRST_TOKEN_TIMEOUT = 0.6
TOKEN_TIMEOUT = 0.5

NOTES = ValueKeys("features.notes.model", "features.notes.max_tokens")


def request(model: str, text: str = "Summarize this.", max_tokens: int = 100) -> ChatRequest:
    messages = (Message("system", "Be brief."), Message("user", text))
    return ChatRequest(model, messages, temperature=0.5, max_tokens=max_tokens, keys=NOTES)


async def read(inference: Inference, model: str, max_tokens: int = 100) -> tuple[list[str], Completed]:
    """The whole reply: its texts and how it ended."""
    texts: list[str] = []
    completed = None
    async with aclosing(inference.stream(request(model, max_tokens=max_tokens))) as reply:
        async for item in reply:
            assert completed is None, "Completed is the last item"
            if isinstance(item, Completed):
                completed = item
            else:
                assert item
                assert all(item)
                texts += item
    assert texts
    assert completed is not None
    return texts, completed


async def until(condition: Callable[[], bool], within: float = 5) -> None:
    """Wait until a condition holds that nothing announces."""
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def stream_beside(client: Inference) -> AsyncGenerator[None]:
    """Run another stream on this client; at the end it must be at the right place of its text, and still going."""
    texts: list[str] = []

    async def run() -> None:
        async with aclosing(client.stream(request("fake?count=100000&rate=200"))) as reply:
            async for item in reply:
                assert isinstance(item, list)
                texts.extend(item)

    task = asyncio.create_task(run())
    await until(lambda: bool(texts))
    yield
    so_far = len(texts)
    await until(lambda: len(texts) > so_far + 2 or task.done())
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert texts == list(itertools.islice(itertools.cycle(TOKENS), len(texts)))
    gc.collect()  # brings out what was left unclosed, as a warning, and those are errors


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def model() -> AsyncGenerator[FakeModelServer]:
    async with FakeModelServer() as server:
        yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def inference(model: FakeModelServer) -> AsyncGenerator[LlamaStackInference]:
    client = LlamaStackInference(
        model.url,
        connect_timeout=0.3,
        first_token_timeout=FIRST_TOKEN_TIMEOUT,
        token_timeout=TOKEN_TIMEOUT,
        retries=0,
    )
    await client.start()
    await read(client, "warm?count=1")  # loads the client library outside of what the tests time
    yield client
    await client.close()
