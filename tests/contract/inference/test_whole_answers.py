"""Answers that are read whole, as judges and scorers do."""

from dataclasses import replace

import pytest

from canopy.base.errors import ModelError, ModelReplyTruncated, ModelTimeout
from canopy.inference.llama_stack import LlamaStackInference
from canopy.inference.protocol import Message
from canopy.inference.whole_answers import ask_judge, complete
from tests.contract.inference.conftest import request
from tests.support.model_scripts import Script
from tests.support.model_server import FakeModelServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

ASKED = [Message("user", "Is it good?")]


async def test_an_answer_is_whole_and_without_thoughts_and_says_how_it_ended(
    inference: LlamaStackInference, model: FakeModelServer
) -> None:
    model.scripts["thinks"] = Script(tokens=("<think>", "Hm.", "</think>", "It", " is."), finish_reason="length")
    assert await complete(inference, request("thinks")) == ("It is.", "length")
    shown = replace(request("thinks"), hide_thoughts=False)
    assert await complete(inference, shown) == ("<think>Hm.</think>It is.", "length")


async def test_half_an_answer_is_none(inference: LlamaStackInference) -> None:
    with pytest.raises(ModelReplyTruncated):
        await complete(inference, request("cut"))


async def test_a_judge_is_asked_for_its_likeliest_answer_with_room_for_thoughts(
    inference: LlamaStackInference, model: FakeModelServer
) -> None:
    assert (await ask_judge(inference, "fake", ASKED, trace_headers=(("traceparent", "00-1-2-01"),))).text
    asked = model.requests[-1]
    assert (asked.body["temperature"], asked.body["max_tokens"]) == (0, 2048)
    assert asked.headers["traceparent"] == "00-1-2-01"


async def test_a_judge_that_allows_no_such_length_is_told_of_and_no_setting_of_summaries(
    inference: LlamaStackInference, model: FakeModelServer
) -> None:
    model.scripts["short"] = Script(status=400, error={"message": "max_tokens must be a smaller number"})
    with pytest.raises(ModelError) as caught:
        await ask_judge(inference, "short", ASKED)
    assert caught.value.sentence == "The judge's model allows no answer of 2,048 tokens."
    assert caught.value.reason == "max_tokens must be a smaller number"


async def test_a_judge_that_goes_on_for_ever_is_left(inference: LlamaStackInference, model: FakeModelServer) -> None:
    model.scripts["endless"] = Script(count=1_000_000, rate=50)
    with pytest.raises(ModelTimeout) as caught:
        await ask_judge(inference, "endless", ASKED, timeout=0.3)
    assert caught.value.sentence == "The judge's model took longer than 0.3 seconds."
