"""Whoever stops listening stops the generation at the model."""

import asyncio

import pytest

from canopy.base.errors import ModelReplyTruncated, ModelTimeout
from canopy.inference.llama_stack import LlamaStackInference
from canopy.inference.protocol import Completed
from tests.contract.inference.conftest import request, until
from tests.support.model_server import FakeModelServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

PATIENCE = 10  # seconds; no script ends by itself in so short a time


@pytest.fixture
def patient(model: FakeModelServer) -> LlamaStackInference:
    return LlamaStackInference(model.url, connect_timeout=1, first_token_timeout=60, token_timeout=60, retries=2)


async def test_closing_the_stream_between_two_tokens(inference: LlamaStackInference, model: FakeModelServer) -> None:
    stream = inference.stream(request("fake?count=100000&rate=100"))
    await anext(stream)
    seen = model.requests[-1]
    await stream.aclose()
    await asyncio.wait_for(seen.disconnected.wait(), PATIENCE)


@pytest.mark.parametrize("script", ["slow_headers", "slow_first_token", "silence", "fake?count=100000&rate=100"])
async def test_cancelling_the_task_that_reads(
    patient: LlamaStackInference, model: FakeModelServer, script: str
) -> None:
    items: list[list[str] | Completed] = []

    async def run() -> None:
        async for item in patient.stream(request(script)):
            items.append(item)  # noqa: PERF401 - what arrived before the cancellation is looked at

    before = len(model.requests)
    task = asyncio.create_task(run())
    await until(lambda: len(model.requests) > before and bool(items or script.startswith("slow")))
    seen = model.requests[-1]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(seen.disconnected.wait(), PATIENCE)
    await patient.close()


async def test_cancelling_one_stream_leaves_the_others(inference: LlamaStackInference, model: FakeModelServer) -> None:
    doomed, other = (inference.stream(request("fake?count=100000&rate=100")) for _ in range(2))
    await anext(doomed)
    seen = model.requests[-1]
    await anext(other)
    await doomed.aclose()
    await asyncio.wait_for(seen.disconnected.wait(), PATIENCE)
    assert await anext(other)
    assert not model.requests[-1].disconnected.is_set()
    await other.aclose()


async def test_a_time_out_ends_the_generation_too(inference: LlamaStackInference, model: FakeModelServer) -> None:
    with pytest.raises(ModelTimeout):
        async for _ in inference.stream(request("silence")):
            pass
    await asyncio.wait_for(model.requests[-1].disconnected.wait(), PATIENCE)


async def test_closing_the_client_ends_everything_that_is_open(
    patient: LlamaStackInference, model: FakeModelServer
) -> None:
    stream = patient.stream(request("silence"))
    await anext(stream)
    seen = model.requests[-1]
    await patient.close()
    await asyncio.wait_for(seen.disconnected.wait(), PATIENCE)
    with pytest.raises(ModelReplyTruncated):
        await anext(stream)
