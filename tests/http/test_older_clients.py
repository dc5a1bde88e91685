"""Clients that were written for the workshop's backends, before Canopy: what they send is taken for what it means."""

import uuid
from typing import Any

import httpx
import pytest
import yaml

from tests.http.conftest import entries, events, vote

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def chat(client: httpx.AsyncClient, *texts: str) -> str:
    """The answer to a conversation whose turns are these texts, the first of them a user's."""
    roles = ("user", "assistant")
    turns = [{"role": roles[number % 2], "content": text} for number, text in enumerate(texts)]
    found = events((await client.post("/summarize/chat", json={"messages": turns})).text)
    return "".join(event["delta"] for event in found if "delta" in event)


async def exported(client: httpx.AsyncClient) -> list[str]:
    document = yaml.safe_load((await client.get("/feedback/export")).text)
    return [test["prompt"] for test in document["tests"]]


@pytest.mark.parametrize("named", [{"feature": "summarize"}, {}])
async def test_a_vote_by_texts_on_a_chats_answer_finds_its_generation(
    empty: httpx.AsyncClient, named: dict[str, Any]
) -> None:
    text, question = f"text {uuid.uuid4()}", f"question {uuid.uuid4()}"
    answer = await chat(empty, text, "A summary.", question)
    await vote(empty, {"input_text": question, "response_text": answer, "rating": "thumbs_down", **named})
    (entry,) = await entries(empty)
    assert entry["generation_id"].startswith("gen_")
    assert (entry["feature"], [turn["content"] for turn in entry["messages"]]) == (
        "summarize_chat",
        [text, "A summary.", question],
    )
    assert await exported(empty) == []  # alone, the question would be no test of anything


async def test_a_follow_up_that_was_asked_twice_becomes_no_test_either(empty: httpx.AsyncClient) -> None:
    question = f"question {uuid.uuid4()}"
    for number in range(2):
        answer = await chat(empty, f"text {number}", "A summary.", question)
    await vote(empty, {"input_text": question, "response_text": answer, "rating": "thumbs_down"})
    assert [entry["generation_id"] for entry in await entries(empty)] == [None]
    assert await exported(empty) == []


async def test_the_first_turn_of_a_chat_is_a_summary_and_becomes_a_test(empty: httpx.AsyncClient) -> None:
    text = f"text {uuid.uuid4()}"
    answer = await chat(empty, text)
    await vote(empty, {"input_text": text, "response_text": answer, "rating": "thumbs_down", "feature": "summarize"})
    (entry,) = await entries(empty)
    assert (entry["feature"], entry["messages"]) == ("summarize", [{"role": "user", "content": text}])
    assert await exported(empty) == [text]


async def test_a_vote_by_id_may_name_either_route_of_the_feature(empty: httpx.AsyncClient) -> None:
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]
    answer = (await empty.post("/summarize/chat", json={"messages": turns, "stream": False})).json()
    await vote(empty, {"request_id": answer["request_id"], "rating": "thumbs_up", "feature": "summarize"})
    assert [entry["feature"] for entry in await entries(empty)] == ["summarize_chat"]


AXIOS = "application/json, text/plain, */*"
TURNS = [{"role": "user", "content": "A text."}]


@pytest.mark.parametrize(
    ("route", "body"), [("/summarize", {"prompt": "A text."}), ("/summarize/chat", {"messages": TURNS})]
)
@pytest.mark.parametrize(
    ("accept", "stream", "streams"),
    [
        (AXIOS, True, True),
        ("application/json", True, True),
        ("text/event-stream", False, False),
        ("*/*", False, False),
        (AXIOS, None, False),
        ("application/json", None, False),
        ("*/*", None, True),
        ("text/event-stream, application/json", None, True),
    ],
)
async def test_the_bodys_stream_beats_the_accept_header(
    client: httpx.AsyncClient, route: str, body: dict[str, Any], accept: str, stream: bool | None, streams: bool
) -> None:
    said = {} if stream is None else {"stream": stream}
    response = await client.post(route, json=body | said, headers={"accept": accept})
    kind = "text/event-stream" if streams else "application/json"
    assert (response.status_code, response.headers["content-type"].partition(";")[0]) == (200, kind)
