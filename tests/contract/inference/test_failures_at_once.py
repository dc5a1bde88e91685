"""All ways in which a model server fails, at once, and a stream beside them on the same client."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from canopy.inference.llama_stack import LlamaStackInference
from tests.contract.inference.conftest import read, request, stream_beside
from tests.support.model_scripts import SCRIPTS, TOKENS
from tests.support.model_server import FakeModelServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

_TIMEOUT = 4  # seconds; in the time-outs of the other tests a busy machine doesn't get round to so many streams


@pytest_asyncio.fixture(loop_scope="session")
async def patient(model: FakeModelServer) -> AsyncGenerator[LlamaStackInference]:
    client = LlamaStackInference(
        model.url, connect_timeout=_TIMEOUT, first_token_timeout=_TIMEOUT, token_timeout=_TIMEOUT, retries=0
    )
    await client.start()
    yield client
    await client.close()


async def test_every_failure_at_once_leaves_the_client_as_good_as_new(patient: LlamaStackInference) -> None:
    async def run(script: str) -> None:
        async for _ in patient.stream(request(script)):
            pass

    async with stream_beside(patient):
        await asyncio.gather(*(run(script) for script in [*SCRIPTS, *SCRIPTS]), return_exceptions=True)
        replies = await asyncio.gather(*(read(patient, "fake") for _ in range(20)))
        assert all(tuple(texts) == TOKENS for texts, _ in replies)
