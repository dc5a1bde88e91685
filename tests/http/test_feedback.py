"""Votes over HTTP: taken, replaced, taken back, listed, filtered, counted and exported."""

import asyncio
import json
import uuid
from typing import Any

import httpx
import pytest
import pytest_asyncio
import yaml

from tests.http.conftest import summarize
from tests.support.server import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")


def lab_vote(**changes: Any) -> dict[str, Any]:
    """The lab's form of a vote, on texts that no other test uses."""
    return {"input_text": f"text {uuid.uuid4()}", "response_text": "a summary", "rating": "thumbs_down", **changes}


async def vote(client: httpx.AsyncClient, body: dict[str, Any], **headers: str) -> str:
    response = await client.post("/feedback", json=body, headers=headers)
    assert response.status_code == 200, response.text
    assert response.json().keys() == {"status", "feedback_id"}
    feedback_id: str = response.json()["feedback_id"]
    return feedback_id


async def entries(client: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await client.get("/feedback", params=query)).json()["feedback"]
    return found


@pytest_asyncio.fixture(loop_scope="session")
async def empty(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """The client, with every vote of earlier tests taken back."""
    while found := await entries(client, limit=200):
        await asyncio.gather(*(client.delete(f"/feedback/{entry['id']}") for entry in found))
    return client


async def test_the_labs_vote_is_stored_with_its_texts(empty: httpx.AsyncClient) -> None:
    body = lab_vote(comment="Wrong names.", reasons=["inaccurate"], feature="summarize", session_id="s1", user_id="u1")
    feedback_id = await vote(empty, body)
    page = (await empty.get("/feedback")).json()
    assert (page["total"], page["next"]) == (1, None)
    entry = page["feedback"][0]
    assert entry["id"] == feedback_id
    assert {key: entry[key] for key in body} == body
    assert (entry["name"], entry["prompt_id"], entry["generation_id"]) == ("user_satisfaction", None, None)
    assert entry["timestamp"].endswith("Z")


@pytest.mark.parametrize("key", ["request_id", "generation_id"])
async def test_a_vote_by_id_is_tied_to_the_exact_model_call(empty: httpx.AsyncClient, key: str) -> None:
    answer = await summarize(empty, "The text that was summarized.")
    await vote(empty, {key: answer[key], "rating": "thumbs_up"})
    (entry,) = await entries(empty)
    assert entry["input_text"] == "The text that was summarized."
    assert entry["response_text"] == answer["response"]
    assert entry["generation_id"] == answer["generation_id"]
    assert entry["prompt"] == "Summarize:"


async def test_the_labs_vote_finds_the_one_generation_with_its_texts(empty: httpx.AsyncClient) -> None:
    answer = await summarize(empty, f"Only once: {uuid.uuid4()}")
    text = {"input_text": (await generation_input(empty, answer)), "response_text": answer["response"]}
    await vote(empty, {**text, "rating": "thumbs_down"})
    (entry,) = await entries(empty)
    assert entry["generation_id"] == answer["generation_id"]


async def generation_input(client: httpx.AsyncClient, answer: dict[str, Any]) -> str:
    feedback_id = await vote(client, {"generation_id": answer["generation_id"], "rating": "thumbs_up"})
    (entry,) = await entries(client)
    await client.delete(f"/feedback/{feedback_id}")
    text: str = entry["input_text"]
    return text


@pytest.mark.parametrize("rating", ["thumbs_up", "thumbs_down", 1, 2, 3, 4, 5, "brilliant"])
async def test_every_kind_of_rating_comes_back_as_it_was_sent(empty: httpx.AsyncClient, rating: int | str) -> None:
    await vote(empty, lab_vote(rating=rating))
    (entry,) = await entries(empty)
    assert entry["rating"] == rating
    assert await entries(empty, rating=rating) == [entry]


async def test_reason_is_another_name_for_comment(empty: httpx.AsyncClient) -> None:
    await vote(empty, lab_vote(reason="Too long by half."))
    assert (await entries(empty))[0]["comment"] == "Too long by half."


async def test_a_second_vote_of_the_same_voter_replaces_the_first(empty: httpx.AsyncClient) -> None:
    answer = await summarize(empty)
    by_id = {"generation_id": answer["generation_id"]}
    first = await vote(empty, {**by_id, "rating": "thumbs_up"}, **{"x-session-id": "s1"})
    second = await vote(
        empty, {**by_id, "rating": "thumbs_down", "comment": "On reflection."}, **{"x-session-id": "s1"}
    )
    other = await vote(empty, {**by_id, "rating": "thumbs_up"}, **{"x-session-id": "s2"})
    assert first == second != other
    found = {entry["id"]: entry["rating"] for entry in await entries(empty)}
    assert found == {first: "thumbs_down", other: "thumbs_up"}
    stats = (await empty.get("/feedback/stats")).json()
    assert (stats["positive"], stats["negative"]) == (1, 1)


async def test_anonymous_votes_on_the_same_texts_are_all_kept(empty: httpx.AsyncClient) -> None:
    body = lab_vote()
    assert await vote(empty, body) != await vote(empty, body)
    assert len(await entries(empty)) == 2


async def test_an_idempotency_key_makes_a_retry_harmless(empty: httpx.AsyncClient, server: Server) -> None:
    body, key = lab_vote(), str(uuid.uuid4())
    first = await vote(empty, body, **{"idempotency-key": key})
    before = len(server.events("feedback_submitted"))
    assert await vote(empty, body, **{"idempotency-key": key}) == first
    assert len(await entries(empty)) == 1
    assert len(server.events("feedback_submitted")) == before
    other = await empty.post("/feedback", json={**body, "rating": 5}, headers={"idempotency-key": key})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_a_vote_can_be_taken_back_once(empty: httpx.AsyncClient) -> None:
    feedback_id = await vote(empty, lab_vote())
    assert (await empty.delete(f"/feedback/{feedback_id}")).json() == {"status": "ok", "feedback_id": feedback_id}
    assert await entries(empty) == []
    again = await empty.delete(f"/feedback/{feedback_id}")
    assert (again.status_code, again.json()["code"]) == (404, "feedback_not_found")


async def test_pages_follow_one_another_newest_first_without_a_gap(empty: httpx.AsyncClient) -> None:
    ids = [await vote(empty, lab_vote()) for _ in range(7)]
    seen: list[str] = []
    cursor = None
    while True:
        page = (await empty.get("/feedback", params={"limit": 3, **({"cursor": cursor} if cursor else {})})).json()
        assert page["total"] == 7
        seen += [entry["id"] for entry in page["feedback"]]
        if (cursor := page["next"]) is None:
            break
    assert seen == ids[::-1]


async def test_filters_choose_and_search_ignores_case(empty: httpx.AsyncClient) -> None:
    answer = await summarize(empty)
    good = await vote(empty, {"generation_id": answer["generation_id"], "rating": "thumbs_up"})
    bad = await vote(empty, lab_vote(rating=2, comment="Das STRASSENFEST fehlt 100%"))
    plain = await vote(empty, lab_vote(rating=3))

    async def ids(**query: Any) -> set[str]:
        return {entry["id"] for entry in await entries(empty, **query)}

    (linked,) = [entry for entry in await entries(empty) if entry["id"] == good]
    assert await ids(rating="positive") == {good}
    assert await ids(rating="negative") == {bad}
    assert await ids(rating="neutral") == {plain}
    assert await ids(rating=2) == {bad}
    assert await ids(prompt_id=linked["prompt_id"]) == {good}
    assert await ids(feature="summarize_chat") == set()
    assert await ids(q="strassenfest") == {bad}
    assert await ids(q="100%") == {bad}
    assert await ids(q="_") == set()
    day = linked["timestamp"][:10]
    assert await ids(since=day, until=day) == {good, bad, plain}
    assert await ids(since=linked["timestamp"]) == {good, bad, plain}
    assert await ids(until=linked["timestamp"]) == set()
    assert await ids(since="2100-01-01") == set()
    assert await ids(rating="", since="", q="") == {good, bad, plain}


@pytest.mark.parametrize(
    "query",
    [
        "since=yesterday",
        "until=2026-13-01",
        "limit=0",
        "limit=201",
        "limit=ten",
        "cursor=nonsense",
        "cursor=%00",
        "q=%00",
        "ratng=positive",
        "since=9999-12-31T23:59:59%2B99:00",
    ],
)
async def test_a_filter_that_makes_no_sense_is_refused_with_a_sentence(client: httpx.AsyncClient, query: str) -> None:
    response = await client.get(f"/feedback?{query}")
    assert response.status_code == 422
    assert response.json()["detail"].endswith(".")


LONG = 100_001
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
    ("no rating", {"input_text": "a", "response_text": "b"}, "`rating` is missing"),
    ("rating null", lab_vote(rating=None), "`rating` must be"),
    ("rating true", lab_vote(rating=True), "`rating` must be"),
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
    ("session id too long", lab_vote(session_id="x" * 201), "`session_id` should have at most 200 characters"),
    ("two comments", lab_vote(comment="a", reason="b"), "`comment` or `reason`, not both"),
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


async def test_a_body_that_does_not_arrive_is_a_408(server: Server) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
    writer.write(b"POST /feedback HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{")
    assert (await reader.readline()).startswith(b"HTTP/1.1 408")
    writer.close()


async def test_a_vote_is_logged_once_without_its_texts(empty: httpx.AsyncClient, server: Server) -> None:
    body = lab_vote(input_text="très secret", response_text="secret too", comment="my secret", rating=2)
    response = await empty.post("/feedback", json=body)
    (line,) = [
        line for line in server.events("feedback_submitted") if line["feedback_id"] == response.json()["feedback_id"]
    ]
    assert (line["rating"], line["feature"], line["input_length"], line["response_length"]) == (2, "summarize", 11, 10)
    assert line["trace_id"] == response.headers["x-request-id"]
    assert {"timestamp", "prompt_id", "model", "config_revision", "level"} <= set(line)
    assert not any(b"secret" in line for line in server.lines)


async def test_no_request_but_a_vote_puts_the_word_feedback_submitted_into_the_log(
    client: httpx.AsyncClient, server: Server
) -> None:
    word = "feedback_submitted"
    before = len([line for line in server.lines if word.encode() in line])
    await client.get(f"/{word}?q={word}", headers={"user-agent": word, "x-session-id": word})
    await client.get("/feedback", params={"q": word})
    await client.post("/summarize", json={"prompt": word, "session_id": word, "user_id": word})
    await client.post("/feedback", json=lab_vote(rating=word))
    await client.delete(f"/feedback/{word}")
    marker = await client.get("/feature-flags")
    await server.event("http_request", len(server.events("http_request")))
    assert marker.status_code == 200
    assert len([line for line in server.lines if word.encode() in line]) == before


async def test_the_export_has_one_test_per_distinct_prompt_and_is_byte_stable(empty: httpx.AsyncClient) -> None:
    for text in ("one", "two", "one"):
        await vote(empty, lab_vote(input_text=text, rating="thumbs_down"))
    await vote(empty, lab_vote(input_text="three", rating=1))
    await vote(empty, lab_vote(input_text="liked", rating="thumbs_up"))
    first = await empty.get("/feedback/export")
    again = await empty.get("/feedback/export")
    assert first.content == again.content
    assert 'filename="feedback-eval-dataset.yaml"' in first.headers["content-disposition"]
    dataset = yaml.safe_load(first.content)
    assert list(dataset) == ["name", "description", "endpoint", "scoring_params", "tests"]
    assert dataset["scoring_params"]["llm-as-judge::base"]["judge_model"] == "llama32"
    assert dataset["tests"] == [{"prompt": text, "expected_result": ""} for text in ("one", "two", "three")]
    chosen = yaml.safe_load((await empty.get("/feedback/export", params={"rating": 1})).content)
    assert [test["prompt"] for test in chosen["tests"]] == ["three"]


async def test_an_export_without_bad_answers_is_still_a_dataset(empty: httpx.AsyncClient) -> None:
    assert yaml.safe_load((await empty.get("/feedback/export")).content)["tests"] == []


async def test_every_character_that_can_be_stored_survives_vote_and_export(empty: httpx.AsyncClient) -> None:
    text = "".join(map(chr, range(1, 0x250))) + "\u2028\u2029\ufeff\ufffe\uffff👩‍👩‍👧‍👦\n---\n\ttab\r\n\x85"
    await vote(empty, lab_vote(input_text=text))
    assert (await entries(empty))[0]["input_text"] == text
    assert yaml.safe_load((await empty.get("/feedback/export")).content)["tests"][0]["prompt"] == text


async def test_stats_count_per_rating_hour_and_prompt(empty: httpx.AsyncClient) -> None:
    answer = await summarize(empty)
    await vote(empty, {"generation_id": answer["generation_id"], "rating": "thumbs_up"})
    await vote(empty, lab_vote(rating=1))
    stats = (await empty.get("/feedback/stats")).json()
    assert (stats["total"], stats["satisfaction"]) == (2, 0.5)
    assert stats["ratings"] == {"thumbs_up": 1, "1": 1}
    assert sum(hour["total"] for hour in stats["over_time"]) == 2
    assert {(row["model"], row["satisfaction"]) for row in stats["by_prompt"]} == {("llama32", 1.0), (None, 0.0)}


async def test_metrics_count_votes_by_feature_rating_and_prompt(empty: httpx.AsyncClient) -> None:
    line = 'canopy_feedback_total{feature="summarize",prompt_id="",rating="5"}'

    async def count() -> float:
        metrics = (await empty.get("/metrics")).text.splitlines()
        return next((float(text.rpartition(" ")[2]) for text in metrics if text.startswith(line)), 0.0)

    before = await count()
    await vote(empty, lab_vote(rating=5))
    assert await count() == before + 1


async def test_pages_and_answers_are_closed_to_other_sites(client: httpx.AsyncClient) -> None:
    for path in ("/", "/feedback", "/feature-flags", "/nowhere"):
        headers = (await client.get(path, headers={"accept": "text/html"})).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers


async def test_an_unknown_address_answers_in_the_common_shape(client: httpx.AsyncClient) -> None:
    missing = await client.get("/nowhere")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    wrong = await client.put("/feedback", json={})
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")
    assert "allow" in wrong.headers
