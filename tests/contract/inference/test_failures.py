"""Each way in which a model server fails. Meanwhile another stream on the same client goes on undisturbed."""

import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import ExitStack, contextmanager

import pytest
import pytest_asyncio

from canopy.base.errors import (
    CanopyError,
    ModelBusy,
    ModelError,
    ModelNotFound,
    ModelReplyEmpty,
    ModelReplyTruncated,
    ModelTimeout,
    ModelUnreachable,
    PromptTooLong,
)
from canopy.inference.llama_stack import LlamaStackInference
from canopy.inference.protocol import Deltas
from tests.contract.inference.conftest import FIRST_TOKEN_TIMEOUT, TOKEN_TIMEOUT, request, stream_beside
from tests.support.model_scripts import TOKENS

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def another_stream(inference: LlamaStackInference) -> AsyncGenerator[None]:
    """Runs through each test."""
    async with stream_beside(inference):
        yield


async def failure(inference: LlamaStackInference, model: str) -> tuple[Deltas, CanopyError]:
    """The texts before the failure, and the failure."""
    texts: Deltas = []
    with pytest.raises(CanopyError) as caught:
        async for item in inference.stream(request(model)):
            assert isinstance(item, list), "a failure never follows a complete reply"
            texts += item
    assert "sk-secret" not in caught.value.sentence
    assert caught.value.sentence.endswith(".")
    return texts, caught.value


def client_of(port: int, retries: int = 0) -> LlamaStackInference:
    url = f"http://127.0.0.1:{port}"
    return LlamaStackInference(url, connect_timeout=0.3, first_token_timeout=5, token_timeout=5, retries=retries)


@contextmanager
def deaf_port() -> Generator[int]:
    """A port that accepts no connection and refuses none: its queue is full."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port: int = listener.getsockname()[1]
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        yield port


async def test_refused(unused_tcp_port: int) -> None:
    client = client_of(unused_tcp_port)
    texts, error = await failure(client, "fake")
    await client.close()
    assert type(error) is ModelUnreachable
    assert (texts, error.retry_after) == ([], 5)


async def test_a_connection_that_is_not_accepted_in_time() -> None:
    with deaf_port() as port:
        client = client_of(port)
        _, error = await failure(client, "fake")
        await client.close()
    assert type(error) is ModelTimeout


async def test_hung_up_without_an_answer(inference: LlamaStackInference) -> None:
    _, error = await failure(inference, "hang_up")
    assert type(error) is ModelUnreachable
    assert error.retry_after == 5


async def test_an_unknown_model_is_named_and_so_is_the_setting(inference: LlamaStackInference) -> None:
    _, error = await failure(inference, "not_found")
    assert type(error) is ModelNotFound
    assert "`not_found`" in error.sentence
    assert "`features.notes.model`" in error.sentence


@pytest.mark.parametrize(
    ("script", "seconds"),
    [("busy", 1), ("busy_no_retry_after", 5), ("busy_for_20_s", 20), ("busy_for_an_hour", 3600), ("busy_for_ever", 5)],
)
async def test_429_is_busy_for_as_long_as_the_server_says(
    inference: LlamaStackInference, script: str, seconds: int
) -> None:
    _, error = await failure(inference, script)
    assert type(error) is ModelBusy
    assert error.retry_after == seconds


async def test_503_is_busy_too_as_while_a_model_loads(inference: LlamaStackInference) -> None:
    _, error = await failure(inference, "unavailable")
    assert type(error) is ModelBusy
    assert error.retry_after


@pytest.mark.parametrize(("script", "status"), [("broken", 500), ("bad_request", 400), ("teapot", 418)])
async def test_any_other_status_is_named(inference: LlamaStackInference, script: str, status: int) -> None:
    _, error = await failure(inference, script)
    assert type(error) is ModelError
    assert f"({status})" in error.sentence


@pytest.mark.parametrize("script", ["unauthorized", "forbidden"])
async def test_refused_credentials_are_called_that(inference: LlamaStackInference, script: str) -> None:
    _, error = await failure(inference, script)
    assert type(error) is ModelError
    assert "credentials" in error.sentence


@pytest.mark.parametrize("script", ["too_long", "too_large", "too_long_event"])
async def test_a_prompt_beyond_the_context_is_the_prompts_fault(inference: LlamaStackInference, script: str) -> None:
    _, error = await failure(inference, script)
    assert type(error) is PromptTooLong


@pytest.mark.parametrize("script", ["slow_headers", "slow_first_token", "only_heartbeats", "only_empty_deltas"])
async def test_a_first_token_that_does_not_come(inference: LlamaStackInference, script: str) -> None:
    texts, error = await failure(inference, script)
    assert type(error) is ModelTimeout
    assert texts == []
    assert f"{FIRST_TOKEN_TIMEOUT:g} seconds" in error.sentence


@pytest.mark.parametrize("script", ["silence", "heartbeats", "empty_deltas"])
async def test_silence_after_tokens(inference: LlamaStackInference, script: str) -> None:
    texts, error = await failure(inference, script)
    assert type(error) is ModelTimeout
    assert tuple(texts) == TOKENS
    assert f"{TOKEN_TIMEOUT:g} seconds" in error.sentence


async def test_cut_after_tokens(inference: LlamaStackInference) -> None:
    texts, error = await failure(inference, "cut")
    assert type(error) is ModelReplyTruncated
    assert tuple(texts) == TOKENS


async def test_cut_before_the_first_token(inference: LlamaStackInference) -> None:
    _, error = await failure(inference, "cut_before_first_token")
    assert type(error) is ModelReplyTruncated


async def test_an_error_event_after_tokens(inference: LlamaStackInference) -> None:
    texts, error = await failure(inference, "error_event")
    assert type(error) is ModelError
    assert tuple(texts) == TOKENS


async def test_an_error_event_before_the_first_token(inference: LlamaStackInference) -> None:
    _, error = await failure(inference, "error_event_first")
    assert type(error) is ModelError


@pytest.mark.parametrize("script", ["no_done", "no_finish_reason"])
async def test_an_end_without_a_finish_reason_is_no_end(inference: LlamaStackInference, script: str) -> None:
    texts, error = await failure(inference, script)
    assert type(error) is ModelReplyTruncated
    assert tuple(texts) == TOKENS


@pytest.mark.parametrize("script", ["empty", "empty_no_done", "empty_only_done", "empty_body", "blank"])
async def test_a_reply_without_a_word(inference: LlamaStackInference, script: str) -> None:
    texts, error = await failure(inference, script)
    assert type(error) is ModelReplyEmpty
    assert "".join(texts).strip() == ""


async def test_a_reply_that_ends_while_it_still_reasons(inference: LlamaStackInference) -> None:
    _, error = await failure(inference, "reasoning_only")
    assert type(error) is ModelReplyEmpty
    assert "`features.notes.max_tokens`" in error.sentence


@pytest.mark.parametrize("script", ["malformed", "not_an_object", "odd_choices", "html", "not_streamed"])
async def test_what_is_no_completion(inference: LlamaStackInference, script: str) -> None:
    texts, error = await failure(inference, script)
    assert type(error) is ModelError
    assert texts == []
