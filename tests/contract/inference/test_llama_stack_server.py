"""The real Llama Stack 0.7 and OGX 1.5, in front of the embedded model and of a model server that misbehaves."""

import asyncio
import itertools
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import httpx
import pytest
import pytest_asyncio

from canopy.base.errors import (
    CanopyError,
    ModelBusy,
    ModelError,
    ModelNotFound,
    ModelReplyEmpty,
    ModelTimeout,
    PromptTooLong,
)
from canopy.inference.embedded import MODEL
from canopy.inference.llama_stack import LlamaStackInference
from canopy.inference.protocol import ChatRequest, Completed, Message
from tests.contract.inference.conftest import read, request
from tests.support.llama_stack import LLAMA_STACK, OGX
from tests.support.model_scripts import TOKENS
from tests.support.stacks import Stacks

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="session")]

SMALL = f"embedded/{MODEL}"  # how both servers name a model: provider, slash, the provider's name for it


@dataclass(frozen=True)
class Behind:
    """A client of a real server, and the embedded model that is behind it."""

    inference: LlamaStackInference
    stacks: Stacks


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def behind(stacks: Stacks) -> AsyncGenerator[dict[str, Behind]]:
    """A client of each server."""
    clients = {
        name: LlamaStackInference(url, connect_timeout=5, first_token_timeout=60, token_timeout=5, retries=1)
        for name, url in stacks.urls.items()
    }
    yield {name: Behind(client, stacks) for name, client in clients.items()}
    for client in clients.values():
        await client.close()


@pytest.fixture(params=[LLAMA_STACK.name, OGX.name])
def stack(request: pytest.FixtureRequest, behind: dict[str, Behind]) -> Behind:
    return behind[request.param]


@pytest.fixture
def inference(stack: Behind) -> LlamaStackInference:
    return stack.inference


async def test_a_summary_streams_and_ends_with_its_usage(inference: LlamaStackInference) -> None:
    texts, completed = await read(inference, SMALL, max_tokens=12)
    assert len(texts) > 1
    assert completed.finish_reason in {"stop", "length"}
    assert completed.input_tokens
    assert completed.output_tokens


async def test_a_conversation_goes_on(inference: LlamaStackInference) -> None:
    messages = (
        Message("system", "Answer in one word."),
        Message("user", "Summarize: the sky over the canopy is blue."),
        Message("assistant", "The sky is blue."),
        Message("user", "Which colour is it?"),
    )
    items = [item async for item in inference.stream(ChatRequest(SMALL, messages, 0.1, 12))]
    assert isinstance(items[-1], Completed)


async def test_a_model_that_it_does_not_have_is_named(inference: LlamaStackInference) -> None:
    with pytest.raises(ModelNotFound, match="`llama32`"):
        await read(inference, "llama32")


async def test_a_prompt_beyond_the_models_context_is_the_prompts_fault(inference: LlamaStackInference) -> None:
    with pytest.raises(PromptTooLong):
        async for _ in inference.stream(request(SMALL, "cat " * 9000)):
            pass


async def test_a_disconnect_stops_the_generation_at_the_model(stack: Behind) -> None:
    async def busy(http: httpx.AsyncClient) -> bool:
        return any(slot["is_processing"] for slot in (await http.get("/slots")).json())

    asked = request(SMALL, "Count from one to one thousand, and leave nothing out.", max_tokens=2000)
    key = {"Authorization": f"Bearer {stack.stacks.embedded_key}"}
    async with httpx.AsyncClient(base_url=stack.stacks.embedded_url, headers=key) as http:
        stream = stack.inference.stream(asked)
        await anext(stream)
        assert await busy(http)
        await stream.aclose()
        async with asyncio.timeout(10):
            while await busy(http):
                await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("not_found", ModelNotFound),
        ("busy", ModelBusy),
        ("broken", ModelError),
        ("unauthorized", ModelError),
        ("too_long", PromptTooLong),
        ("cut", ModelError),
        ("error_event", ModelError),
        ("malformed", ModelError),
        ("silence", ModelTimeout),
    ],
)
async def test_what_fails_behind_it_fails_in_front_of_it(
    inference: LlamaStackInference, script: str, error: type[CanopyError]
) -> None:
    with pytest.raises(error) as caught:
        await read(inference, f"fake/{script}")
    assert "sk-secret" not in caught.value.sentence


async def test_a_text_comes_through_unchanged(inference: LlamaStackInference) -> None:
    texts, _ = await read(inference, "fake/fake?count=200")
    assert texts == list(itertools.islice(itertools.cycle(TOKENS), 200))


async def test_an_empty_reply_is_no_reply(inference: LlamaStackInference) -> None:
    with pytest.raises(ModelReplyEmpty):
        await read(inference, "fake/blank")
