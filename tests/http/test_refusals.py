"""What is refused, and that the sentence says why without repeating it."""

import asyncio
import itertools
import json
import uuid
from typing import Any

import httpx
import pytest

from tests.http.conftest import lab_vote
from tests.support.server import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")

LONG = 100_001


def talk(*roles: str, text: str = "a") -> dict[str, Any]:
    return {"messages": [{"role": role, "content": text} for role in roles]}


REFUSED: list[tuple[str, Any, str]] = [
    ("not JSON", b"{", "not valid JSON"),
    ("no object", b"[]", "must be a JSON object"),
    ("empty", b"", "not valid JSON"),
    ("NaN", b'{"input_text": "a", "response_text": "b", "rating": NaN}', "`rating` must be"),
    ("a lone surrogate", b'{"input_text": "\\ud800", "response_text": "b", "rating": 5}', "valid JSON"),
    ("invalid UTF-8", b'{"input_text": "\xff", "response_text": "b", "rating": 5}', "valid JSON"),
    ("nothing rated", {"rating": 5}, "Say what is rated"),
    ("half a pair", {"input_text": "a", "rating": 5}, "`input_text` and `response_text`"),
    (
        "ids and texts",
        {"generation_id": "g", "input_text": "a", "response_text": "b", "rating": 5},
        "not ids and texts",
    ),
    ("two ids", {"generation_id": "g", "request_id": "r", "rating": 5}, "not both"),
    ("no rating", {"input_text": "a", "response_text": "b"}, "`rating` is missing"),
    ("rating null", lab_vote(rating=None), "`rating` must be"),
    ("rating 4.5", lab_vote(rating=4.5), "`rating` must be"),
    ("rating 6", lab_vote(rating=6), "an integer from 1 to 5"),
    ("rating huge", lab_vote(rating=10**40), "`rating` must be"),
    ("rating unknown", lab_vote(rating="meh"), "`thumbs_up`, `thumbs_down`, an integer from 1 to 5, `brilliant`"),
    ("NUL", lab_vote(input_text="a\0b"), "`input_text` has a NUL character"),
    ("NUL in a comment", lab_vote(comment="\0"), "`comment` has a NUL character"),
    ("NUL in an id", {"generation_id": "\0", "rating": 5}, "`generation_id` has a NUL character"),
    ("empty text", lab_vote(input_text=""), "`input_text` should have at least 1 character"),
    ("text too long", lab_vote(input_text="x" * LONG), "`input_text` has 100,001 characters; the limit is 100,000"),
    ("comment too long", lab_vote(comment="x" * 4001), "`comment` has 4,001 characters; the limit is 4,000"),
    ("unknown reason", lab_vote(reasons=["meh"]), "`reasons` may hold `inaccurate`"),
    ("reasons no list", lab_vote(reasons="inaccurate"), "`reasons`"),
    ("unknown feature", lab_vote(feature="translate"), "`feature` must be one of `summarize`"),
    ("misspelled field", lab_vote(coment="x"), "`coment` is not a field of this request"),
    ("name", lab_vote(name="Robert'); DROP TABLE"), "`name`"),
    ("name that nobody listed", lab_vote(name="tone_of_voice"), "`name` must be one of `user_satisfaction`"),
    ("response too long", lab_vote(response_text="x" * LONG), "`response_text` has 100,001 characters"),
    ("name of ballots", lab_vote(name="ab_preference"), "they go to POST /feedback/ab"),
    ("session id too long", lab_vote(session_id="x" * 201), "`session_id` should have at most 200 characters"),
    ("two comments", lab_vote(comment="a", reason="b"), "Send `comment` once: it is here under two names"),
]


@pytest.mark.parametrize(("body", "sentence"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
async def test_a_wrong_vote_is_refused_with_a_sentence_that_does_not_repeat_it(
    client: httpx.AsyncClient, body: Any, sentence: str
) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    before = (await client.get("/feedback")).json()["total"]
    response = await client.post("/feedback", content=content, headers={"content-type": "application/json"})
    error = response.json()
    assert response.status_code == 422, response.text
    assert sentence in error["detail"]
    assert len(response.text) < 1000
    for value in body.values() if isinstance(body, dict) else ():
        assert not (isinstance(value, str) and len(value) > 10 and value in response.text)
    assert (await client.get("/feedback")).json()["total"] == before


@pytest.mark.parametrize(
    ("method", "path", "given", "status", "sentence"),
    [
        ("POST", "/summarize/chat", {"json": talk("user", "assistant")}, 422, "must be the user's question"),
        ("POST", "/summarize/chat", {"json": talk("user", "assistant", "user", text="x" * 90_000)}, 422, "270,000"),
        ("GET", "/feedback", {"params": {"ab_cursor": "x"}}, 422, "are pages'"),
        ("POST", "/feedback", {"json": lab_vote(), "headers": {"x-session-id": "x" * 201}}, 422, "1 to 200 characters"),
        ("POST", "/feedback", {"json": {f"field {number}": 1 for number in range(200)}}, 422, "mistakes. Is it meant"),
        ("GET", "/ui/1/nothing.css", {}, 404, "There is no such file."),
        ("GET", "/ui/1/canopy+nothing.css", {}, 404, "There is no such file."),
        ("GET", "/ui/1/canopy+canopy.css", {}, 404, "There is no such file."),
    ],
)
async def test_a_wrong_request_is_refused_with_a_sentence(
    client: httpx.AsyncClient, method: str, path: str, given: dict[str, Any], status: int, sentence: str
) -> None:
    response = await client.request(method, path, **given)
    assert (response.status_code, sentence in response.text) == (status, True), response.text
    assert len(response.text) < 1000


async def test_a_wrong_shape_keeps_the_frameworks_list_of_errors(client: httpx.AsyncClient) -> None:
    error = (await client.post("/feedback", json={"rating": 4.5})).json()
    assert {"loc", "msg", "type"} == set(error["errors"][0])


async def test_a_vote_on_an_unknown_generation_is_a_404(client: httpx.AsyncClient) -> None:
    for key in ("generation_id", "request_id"):
        response = await client.post("/feedback", json={key: "0" * 32, "rating": 5})
        assert (response.status_code, response.json()["code"]) == (404, "generation_not_found")


async def test_a_request_id_that_stands_for_several_generations_is_refused(client: httpx.AsyncClient) -> None:
    headers = {"traceparent": f"00-{uuid.uuid4().hex}-00f067aa0ba902b7-01", "accept": "application/json"}
    for _ in range(2):
        answer = (await client.post("/summarize", json={"prompt": "A text."}, headers=headers)).json()
    response = await client.post("/feedback", json={"request_id": answer["request_id"], "rating": 5})
    assert (response.status_code, response.json()["code"]) == (422, "request_id_ambiguous")
    assert "generation_id" in response.json()["detail"]


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_only_json_is_taken(client: httpx.AsyncClient, content_type: str) -> None:
    response = await client.post("/feedback", content=json.dumps(lab_vote()), headers={"content-type": content_type})
    assert response.status_code == 422
    assert "Content-Type: application/json" in response.json()["detail"]


async def test_a_body_over_the_limit_is_a_413(client: httpx.AsyncClient) -> None:
    for path in ("/feedback", "/summarize"):
        response = await client.post(path, json={"prompt": "x" * 1_000_001})
        assert (response.status_code, response.json()["code"]) == (413, "body_too_large")


async def test_a_client_that_hangs_up_while_it_sends_is_no_error_of_canopys(server: Server) -> None:
    failures = len(server.events("request_failed"))
    before = len(server.events("http_request"))
    _, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
    writer.write(
        b"POST /feedback HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"
    )
    await writer.drain()
    writer.close()
    # An earlier test's request may be told of meanwhile.
    for count in itertools.count(before + 1):
        line = (await server.event("http_request", count))[count - 1]
        if line["http_response_status_code"] == 499:
            break
    assert len(server.events("request_failed")) == failures


async def test_a_body_that_does_not_arrive_is_a_408(server: Server) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
    writer.write(b"POST /feedback HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{")
    assert (await reader.readline()).startswith(b"HTTP/1.1 408")
    writer.close()
