"""A model server that refuses is asked again without what it refuses, and else its cause has a sentence of its own."""

import json
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest
import pytest_asyncio

from canopy.base.errors import (
    CanopyError,
    MaxTokensRefused,
    ModelBusy,
    ModelContentFiltered,
    ModelError,
    ModelNotFound,
    ModelTimeout,
    ModelUnreachable,
    PromptTooLong,
)
from canopy.inference.llama_stack import LlamaStackInference
from canopy.inference.protocol import ChatRequest, Completed, Message
from tests.contract.inference.conftest import NOTES, read
from tests.contract.inference.test_endpoints import PASTED
from tests.support.model_quirks import ANSWER, completion
from tests.support.model_scripts import TOKENS, Script
from tests.support.model_server import FakeModelServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

JSON = (("Content-Type", "application/json"),)
HTML = (("Content-Type", "text/html; charset=utf-8"),)


def refusing(body: Any, status: int = 400, times: int | None = 1) -> Script:
    """A server that refuses so often, and then answers."""
    return Script(status=status, body=json.dumps(body).encode(), headers=JSON, times=times)


def said(sentence: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": sentence, "type": "invalid_request_error", **more}}


@pytest_asyncio.fixture(loop_scope="session")
async def fresh(model: FakeModelServer) -> AsyncGenerator[LlamaStackInference]:
    """A client that knows nothing yet of the server's habits."""
    model.requests.clear()
    model.forget()
    model.scripts.clear()
    client = LlamaStackInference(model.url, connect_timeout=5, first_token_timeout=20, token_timeout=20, retries=0)
    yield client
    await client.close()
    model.scripts.clear()


async def failure(client: LlamaStackInference, name: str = "m") -> CanopyError:
    with pytest.raises(CanopyError) as caught:
        await read(client, name)
    assert caught.value.sentence.endswith(".")
    return caught.value


REPAIRS = {
    "system": [
        said("System role not supported"),
        said("Conversation roles must alternate user/assistant/user/assistant/..."),
        {"object": "error", "message": "Only user and assistant roles are supported!", "code": 400},
        {"detail": "messages.0.role: this model takes no system role"},
    ],
    "stream_options": [
        {
            "detail": [
                {"type": "extra_forbidden", "loc": ["body", "stream_options"], "msg": "Extra inputs", "input": {}}
            ]
        },
        said("Unrecognized request argument supplied: stream_options"),
    ],
    "max_tokens": [
        said("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", param="max_tokens"),
        said("max_tokens is not supported with this model, only max_completion_tokens"),
    ],
    "temperature": [
        said("Unsupported value: 'temperature' takes only the default (1).", param="temperature"),
        {"error": "`temperature` must be strictly positive", "error_type": "validation"},
    ],
}


def sent_without(part: str, body: dict[str, Any]) -> bool:
    if part == "system":
        return bool(body["messages"] == [{"role": "user", "content": "Be brief.\n\nSummarize this."}])
    return part not in body and (part != "max_tokens" or body["max_completion_tokens"] == 100)


@pytest.mark.parametrize(("part", "refusal"), [(part, each) for part, all_ in REPAIRS.items() for each in all_])
async def test_what_a_server_refuses_is_left_out_told_once_and_remembered(
    fresh: LlamaStackInference, model: FakeModelServer, part: str, refusal: Any, caplog: pytest.LogCaptureFixture
) -> None:
    model.scripts["m"] = refusing(refusal, 422 if "detail" in refusal else 400)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            texts, _ = await read(fresh, "m")
            assert tuple(texts) == TOKENS
    first, *others = model.requests
    assert not sent_without(part, first.body)
    assert len(others) == 3
    assert all(sent_without(part, it.body) for it in others)
    (record,) = caplog.records
    assert f"refuses `{part}` for the model m" in record.getMessage()


async def test_one_model_is_not_asked_as_another_wants_it(fresh: LlamaStackInference, model: FakeModelServer) -> None:
    model.scripts["m"] = refusing(REPAIRS["system"][0])
    await read(fresh, "m")
    await read(fresh, "other")
    assert not sent_without("system", model.requests[-1].body)


async def test_one_refused_temperature_says_nothing_of_others(
    fresh: LlamaStackInference, model: FakeModelServer
) -> None:
    model.scripts["m"] = refusing(REPAIRS["temperature"][1])
    messages = (Message("user", "Text"),)
    for temperature in (0.0, 0.5):
        async with aclosing(fresh.stream(ChatRequest("m", messages, temperature, 9, keys=NOTES))) as reply:
            assert [item async for item in reply]
    assert [it.body.get("temperature") for it in model.requests] == [0.0, None, 0.5]


async def test_several_refusals_after_each_other(fresh: LlamaStackInference, model: FakeModelServer) -> None:
    model.scripts["m"] = refusing(
        said("System role not supported; stream_options and temperature are unknown"), times=3
    )
    await read(fresh, "m")
    assert len(model.requests) == 4
    assert all(sent_without(part, model.requests[-1].body) for part in ("system", "stream_options", "temperature"))


async def test_a_server_that_refuses_everything_is_not_asked_for_ever(
    fresh: LlamaStackInference, model: FakeModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    everything = said("no system role, stream_options, temperature; max_tokens unsupported, max_completion_tokens too")
    model.scripts["m"] = refusing(everything, times=None)
    error = await failure(fresh)
    assert error.status == 502
    assert error.reason
    assert error.reason.startswith("no system role")
    assert len(model.requests) == 5
    assert not caplog.records  # nothing helped, so there is nothing to remember


TOO_LARGE = [
    # what a server says, and the tokens that are asked for then
    ("max_tokens is too large: 100. This model supports at most 64 completion tokens.", 64),
    ("max_tokens: 100 > 80, which is the maximum allowed number of output tokens for m", 80),
    ("Invalid max_tokens value, the valid range of max_tokens is [1, 48]", 48),
    ("`max_tokens` must be less than or equal to `77`, which is less than the `context_window`", 77),
    (
        "'max_tokens' is too large: 100. This model's maximum context length is 120 tokens and your request has 57 "
        "input tokens (100 > 120 - 57).",
        63,
    ),
    (
        "This model's maximum context length is 120 tokens. However, you requested 157 tokens (57 in the messages, 100 "
        "in the completion). Please reduce the length of the messages or completion.",
        63,
    ),
    (
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 120. Given: 57 `inputs` tokens and 100 "
        "`max_new_tokens`",
        63,
    ),
    (
        "Requested token count exceeds the model's maximum context length of 120 tokens. You requested a total of 157 "
        "tokens: 57 tokens from the input messages and 100 tokens for the completion.",
        63,
    ),
    (
        "This endpoint's maximum context length is 1,120 tokens. However, you requested about 1,157 tokens (1,057 of "
        "text input, 100 in the output).",
        63,
    ),
]


@pytest.mark.parametrize(("sentence", "room"), TOO_LARGE)
async def test_an_answer_that_may_not_be_so_long_is_asked_for_once_more_and_shorter(
    fresh: LlamaStackInference, model: FakeModelServer, sentence: str, room: int, caplog: pytest.LogCaptureFixture
) -> None:
    model.scripts["m"] = refusing(said(sentence))
    with caplog.at_level(logging.WARNING):
        texts, completed = await read(fresh, "m")
    assert tuple(texts) == TOKENS
    assert [it.body["max_tokens"] for it in model.requests] == [100, room]
    assert completed.adapted == {"max_tokens": room}
    (record,) = caplog.records
    assert f"asks for {room} instead" in record.getMessage()


@pytest.mark.parametrize("sentence", [*(it for it, _ in TOO_LARGE), "max_tokens must be a smaller number"])
async def test_a_server_that_still_refuses_its_length_is_an_error_that_names_the_value(
    fresh: LlamaStackInference, model: FakeModelServer, sentence: str
) -> None:
    model.scripts["m"] = refusing(said(sentence), times=None)
    error = await failure(fresh)
    assert isinstance(error, MaxTokensRefused)
    assert (error.status, error.code) == (502, "model_error")
    assert "`features.notes.max_tokens`" in error.sentence
    assert error.reason
    assert len(model.requests) <= 2


@pytest.mark.parametrize(
    "sentence",
    [
        "This model's maximum context length is 120 tokens. However, you requested 257 tokens (157 in the messages, "
        "100 in the completion). Please reduce the length of the messages or completion.",
        "`inputs` tokens + `max_new_tokens` must be <= 120. Given: 119 `inputs` tokens and 100 `max_new_tokens`",
        "Your input exceeds the context window of this model.",
        "The input token count (9031) exceeds the maximum number of tokens allowed (8192).",
        "prompt is too long: 2031 tokens > 1000 maximum",
    ],
)
async def test_a_text_that_leaves_no_room_is_too_long(
    fresh: LlamaStackInference, model: FakeModelServer, sentence: str
) -> None:
    model.scripts["m"] = refusing(said(sentence), times=None)
    assert type(await failure(fresh)) is PromptTooLong
    assert len(model.requests) == 1


PAGE = b"<!doctype html><html><head><style>p {}</style></head><body><h1>Bad  Gateway</h1></body></html>"
STATUSES: list[tuple[Script, type[CanopyError], str]] = [
    (Script(status=404, body=PAGE, headers=HTML), ModelError, "web page (404): check `LLAMA_STACK_URL`"),
    (Script(status=502, body=PAGE, headers=HTML), ModelError, "web page (502): check `LLAMA_STACK_URL`"),
    (Script(status=504, body=PAGE, headers=HTML), ModelError, "web page (504): check `LLAMA_STACK_URL`"),
    (Script(status=503, body=PAGE, headers=HTML), ModelUnreachable, "web page (503): check `LLAMA_STACK_URL`"),
    (Script(status=200, body=PAGE, headers=HTML), ModelError, "web page (200): check `LLAMA_STACK_URL`"),
    (refusing({"detail": "Not Found"}, 404, None), ModelError, "check the path in `LLAMA_STACK_URL`"),
    (refusing({"detail": "Method Not Allowed"}, 405, None), ModelError, "check the path in `LLAMA_STACK_URL`"),
    (Script(status=404, body=b"404 page not found\n"), ModelError, "check the path in `LLAMA_STACK_URL`"),
    (refusing(said("The model `m` does not exist", code="model_not_found"), 404, None), ModelNotFound, "`m`"),
    (refusing({"error": 'model "m" not found, try pulling it first'}, 404, None), ModelNotFound, "`m`"),
    (refusing(said("You exceeded your current quota, see billing"), 429, None), ModelError, "quota"),
    (refusing(said("No.", code="insufficient_quota"), 429, None), ModelError, "quota"),
    (refusing(said("The response was filtered.", code="content_filter"), 400, None), ModelContentFiltered, "filter"),
    (refusing(said("litellm.ContentPolicyViolationError: no."), 400, None), ModelContentFiltered, "filter"),
    (refusing(said("The service content_filter is down."), 500, None), ModelError, "failed (500)"),
    (refusing(said("Insufficient balance"), 402, None), ModelError, "quota"),
    (refusing(said("You exceeded your current quota. Please retry in 7.2 seconds."), 429, None), ModelBusy, "moment"),
    (refusing(said("Rate limit reached: 60 per minute, see billing"), 429, None), ModelBusy, "moment"),
    (refusing(said("Incorrect API key provided: sk-proj-1234567890"), 401, None), ModelError, "credentials"),
    (refusing({"detail": "gone"}, 504, None), ModelTimeout, "(504)"),
    (refusing({"detail": "who?"}, 407, None), ModelError, "The proxy before the model server asks for a user"),
    (refusing({"detail": "CUDA out of memory"}, 500, None), ModelError, "failed (500)"),
    (
        Script(status=400, body=b"Client sent an HTTP request to an HTTPS server.\n"),
        ModelError,
        "begin `LLAMA_STACK_URL` with https://",
    ),
]


@pytest.mark.parametrize(("script", "kind", "part"), STATUSES)
async def test_each_cause_has_a_sentence_of_its_own(
    fresh: LlamaStackInference, model: FakeModelServer, script: Script, kind: type[CanopyError], part: str
) -> None:
    model.scripts["m"] = script
    error = await failure(fresh)
    assert type(error) is kind
    assert part in error.sentence
    assert "sk-proj" not in str(error.reason)
    if script.status != 200:
        assert error.reason
        assert "<" not in error.reason


@pytest.mark.usefixtures("fresh")
async def test_a_spent_quota_is_not_asked_again(model: FakeModelServer) -> None:
    model.scripts["m"] = refusing(said("No.", code="insufficient_quota"), 429, None)
    client = LlamaStackInference(model.url, connect_timeout=5, first_token_timeout=20, token_timeout=20, retries=2)
    await failure(client)
    await client.close()
    assert len(model.requests) == 1


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("pasted", [it for it, base in PASTED.items() if base == "/v1"])
async def test_a_pasted_address_answers(model: FakeModelServer, pasted: str) -> None:
    model.scripts["m"] = Script(body=json.dumps(completion(ANSWER)).encode(), headers=JSON)
    url = model.url + pasted
    client = LlamaStackInference(url, connect_timeout=5, first_token_timeout=20, token_timeout=20, retries=0)
    texts, _ = await read(client, "m")
    await client.close()
    assert "".join(texts) == ANSWER
    assert client.description == f"the model server at {model.url}"


@pytest.mark.usefixtures("fresh")
async def test_an_api_at_another_place_is_found_and_remembered(model: FakeModelServer) -> None:
    url = model.url + "/chat/completions"  # where this server has nothing
    client = LlamaStackInference(url, connect_timeout=5, first_token_timeout=20, token_timeout=20, retries=0)
    before = model.connections_made
    await read(client, "m")
    await read(client, "m")
    await client.close()
    assert [it.path for it in model.requests] == ["/v1/chat/completions"] * 2
    assert model.connections_made - before == 1


async def test_a_completed_reply_says_nothing_where_nothing_was_changed(fresh: LlamaStackInference) -> None:
    _, completed = await read(fresh, "fake")
    assert isinstance(completed, Completed)
    assert completed.adapted == {}


async def test_a_limit_that_is_refused_by_every_name_is_no_high_value(
    fresh: LlamaStackInference, model: FakeModelServer
) -> None:
    model.scripts["m"] = refusing(
        said("Unsupported parameter: 'max_completion_tokens' is not supported, nor is max_tokens."), times=None
    )
    error = await failure(fresh)
    assert "`max_completion_tokens`" in error.sentence
    assert "lower" not in error.sentence
