"""Clients that were written for the workshop's backends, before Canopy: what they send is taken for what it means."""

import uuid
from typing import Any

import httpx
import pytest
import yaml

from tests.http.conftest import entries, events, lab_vote, summarize, vote

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


BLOG_RATINGS = [
    (5, 5),
    (5.0, 5),
    ("5", 5),
    ("1.0", 1),
    (True, "thumbs_up"),
    (False, "thumbs_down"),
    ("true", "thumbs_up"),
    ("thumbs_up", "thumbs_up"),
    ("brilliant", "brilliant"),
]


@pytest.mark.parametrize(("sent", "kept"), BLOG_RATINGS)
async def test_a_rating_is_what_it_means_however_it_is_written(empty: httpx.AsyncClient, sent: Any, kept: Any) -> None:
    answer = await summarize(empty)
    await vote(empty, {"requestId": answer["request_id"], "rating": sent})
    (entry,) = await entries(empty)
    assert (entry["rating"], type(entry["rating"])) == (kept, type(kept))


@pytest.mark.parametrize("rating", [0, 6, 4.5, "4.5", "five", "", None, "0x5", "\u0665", 1e300, -1, [5], {"value": 5}])
async def test_what_is_no_rating_is_refused_with_those_that_there_are(empty: httpx.AsyncClient, rating: Any) -> None:
    response = await empty.post("/feedback", json=lab_vote(rating=rating))
    assert (response.status_code, response.json()["detail"][:8]) == (422, "`rating`")
    assert "thumbs_up" in response.json()["detail"]


@pytest.mark.parametrize("missing", [{}, {"rating": None}])
async def test_a_reason_alone_is_no_vote(empty: httpx.AsyncClient, missing: dict[str, Any]) -> None:
    answer = await summarize(empty)
    body = {"requestId": answer["request_id"], "clientId": "c1", "reason": "It was wrong."} | missing
    response = await empty.post("/feedback", json=body)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_input")
    assert "`rating`" in response.json()["detail"]
    assert await entries(empty) == []


@pytest.mark.parametrize(
    ("key", "prefix"),
    [
        ("requestId", ""),
        ("requestId", "tr-"),
        ("request_id", "tr-"),
        ("trace_id", ""),
        ("trace_id", "tr-"),
        ("traceId", ""),
    ],
)
async def test_a_response_is_found_by_its_id_under_each_of_its_names(
    empty: httpx.AsyncClient, key: str, prefix: str
) -> None:
    answer = await summarize(empty)
    await vote(empty, {key: prefix + answer["request_id"], "rating": True, "reason": "Short."})
    (entry,) = await entries(empty)
    assert (entry["generation_id"], entry["comment"]) == (answer["generation_id"], "Short.")


@pytest.mark.parametrize("key", ["clientId", "client_id", "sessionId", "session_id"])
async def test_a_clients_id_is_its_session(empty: httpx.AsyncClient, key: str) -> None:
    answer = await summarize(empty)
    one = await vote(empty, {"trace_id": answer["request_id"], "rating": True, key: f"one {key}"})
    again = await vote(empty, {"trace_id": answer["request_id"], "rating": False}, **{"X-Session-Id": f"one {key}"})
    other = await vote(empty, {"trace_id": answer["request_id"], "rating": False, key: f"two {key}"})
    assert one == again != other


async def test_a_client_without_an_id_is_anonymous(empty: httpx.AsyncClient) -> None:
    answer = await summarize(empty)
    for nothing in (None, ""):
        await vote(empty, {"requestId": answer["request_id"], "clientId": nothing, "reason": nothing, "rating": 4})
    assert [entry["comment"] for entry in await entries(empty)] == [None]


@pytest.mark.parametrize(
    "said",
    [
        {"request_id": "a" * 32, "trace_id": f"tr-{'b' * 32}"},
        {"clientId": "one", "session_id": "two", "request_id": "a" * 32},
        {"reason": "Too long.", "comment": "Too short.", "request_id": "a" * 32},
    ],
)
async def test_what_is_said_twice_and_differs_is_refused(client: httpx.AsyncClient, said: dict[str, str]) -> None:
    response = await client.post("/feedback", json={"rating": True, **said})
    assert (response.status_code, "under two names" in response.json()["detail"]) == (422, True)


async def test_a_field_of_nobodys_is_still_refused(client: httpx.AsyncClient) -> None:
    for key in ("ratings", "Comment Text", "comparisonId", "trace_id_a", "__proto__", "é"):
        response = await client.post("/feedback", json=lab_vote(**{key: "x"}))
        assert (response.status_code, response.json()["detail"]) == (
            422,
            f"`{key}` is not a field of this request; check its spelling.",
        )
