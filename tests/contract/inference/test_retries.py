"""A call is repeated only while nothing of its reply has been handed on, and never for long."""

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from canopy.base.errors import ModelBusy, ModelError, ModelReplyTruncated
from canopy.inference.llama_stack import LlamaStackInference
from tests.contract.inference.conftest import read
from tests.support.model_scripts import TOKENS
from tests.support.model_server import FakeModelServer

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def patient(model: FakeModelServer) -> AsyncGenerator[LlamaStackInference]:
    """A client that retries twice, in front of a server that has seen nothing yet."""
    model.requests.clear()
    model.forget()
    client = LlamaStackInference(model.url, connect_timeout=1, first_token_timeout=60, token_timeout=60, retries=2)
    yield client
    await client.close()


@pytest.mark.parametrize("script", ["busy_once", "hang_up_once"])
async def test_a_passing_failure_goes_unnoticed(
    patient: LlamaStackInference, model: FakeModelServer, script: str
) -> None:
    texts, _ = await read(patient, script)
    assert tuple(texts) == TOKENS
    assert len(model.requests) == 2


async def test_a_lasting_failure_is_told_after_the_last_retry(
    patient: LlamaStackInference, model: FakeModelServer
) -> None:
    with pytest.raises(ModelBusy):
        await read(patient, "unavailable")
    assert len(model.requests) == 3


@pytest.mark.parametrize("script", ["busy_for_20_s", "busy_for_an_hour", "busy_for_ever"])
async def test_a_server_that_is_busy_for_long_is_not_waited_for(
    patient: LlamaStackInference, model: FakeModelServer, script: str
) -> None:
    with pytest.raises(ModelBusy):
        await read(patient, script)
    assert len(model.requests) == 1


@pytest.mark.parametrize("script", ["broken", "not_found", "bad_request"])
async def test_what_will_fail_again_is_not_repeated(
    patient: LlamaStackInference, model: FakeModelServer, script: str
) -> None:
    with pytest.raises(ModelError):
        await read(patient, script)
    assert len(model.requests) == 1


@pytest.mark.parametrize("script", ["cut", "cut_before_first_token"])
async def test_a_reply_that_has_begun_is_not_asked_for_again(
    patient: LlamaStackInference, model: FakeModelServer, script: str
) -> None:
    with pytest.raises(ModelReplyTruncated):
        await read(patient, script)
    assert len(model.requests) == 1


async def test_without_retries_the_first_failure_counts(inference: LlamaStackInference, model: FakeModelServer) -> None:
    model.requests.clear()
    model.forget()
    with pytest.raises(ModelBusy):
        await read(inference, "busy_once")
    assert len(model.requests) == 1
