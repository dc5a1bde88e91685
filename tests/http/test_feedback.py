"""Votes over HTTP: taken, replaced, taken back, listed, filtered, counted and exported."""

import uuid
from typing import Any

import httpx
import pytest

from tests.http.conftest import entries, lab_vote, summarize, vote
from tests.support.scraping import scrape
from tests.support.server import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_labs_vote_is_stored_with_its_texts(empty: httpx.AsyncClient) -> None:
    body = lab_vote(comment="Wrong names.", reasons=["inaccurate"], feature="summarize", session_id="s1", user_id="u1")
    feedback_id = await vote(empty, body)
    page = (await empty.get("/feedback")).json()
    assert (page["total"], page["next"]) == (1, None)
    entry = page["feedback"][0]
    assert entry["id"] == feedback_id
    session_id = body.pop("session_id")
    assert session_id not in entry.values()  # with it anybody could vote in its owner's place
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


async def test_a_voter_may_say_what_the_answer_should_have_said(empty: httpx.AsyncClient) -> None:
    await vote(empty, lab_vote(input_text="one", suggestion=f"  {'s' * 20_000}\n"))
    await vote(empty, lab_vote(input_text="two", suggestion=" \n"))
    assert [entry["suggestion"] for entry in await entries(empty)] == [None, "s" * 20_000]
    for wrong in ("s" * 20_001, 7, "a\0b"):
        response = await empty.post("/feedback", json=lab_vote(suggestion=wrong))
        assert response.status_code == 422
        assert "`suggestion`" in response.json()["detail"]


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


async def test_a_row_shows_what_is_found_far_into_a_text(empty: httpx.AsyncClient) -> None:
    long = f"{'Before. ' * 400}Here is <b>the needle</b>. {'After. ' * 400}"
    await vote(empty, lab_vote(input_text=long, response_text="## Short\n\nIt has none."))
    page = await empty.get("/feedback/entries", params={"q": "NEEDLE"}, headers={"Accept": "text/html"})
    assert "Here is &lt;b&gt;the <mark>needle</mark>&lt;/b&gt;. After." in page.text
    assert "<bdi>Short</bdi>" in page.text
    swapped = await empty.get("/feedback", params={"since": "2026-02-02", "until": "2026-02-01"})
    assert swapped.status_code == 422
    assert "`since` must be before `until`" in swapped.json()["detail"]


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
    assert await ids(rating=2) == await ids(rating="2.0") == {bad}
    assert await ids(rating="true") == {good}
    assert await ids(rating="false") == set()
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
    assert await ids(until="9999-12-31") == {good, bad, plain}
    for query in ("until=9999-12-31", "since=0001-01-01&until=9999-12-31", "since=0001-01-01T00:00:00%2B14:00"):
        assert (await empty.get(f"/feedback?{query}", headers={"accept": "text/html"})).status_code == 200
    assert await ids(rating="a-label-of-yesterday") == set()
    assert await ids(model=linked["model"]) == {good}
    assert await ids(model="another") == set()
    assert await ids(score=2) == await ids(score="1-2") == {bad}
    assert await ids(score="1-5") == {bad, plain}
    assert await ids(comment="with") == {bad}
    assert await ids(comment="without") == {good, plain}
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
        "rating=Meh!",
        "rating=6",
        "origin=elsewhere",
        "order=worst&origin=own",
        "order=worst&reason=too_long",
        "score=0",
        "score=2-1",
        "score=1-6",
        "comment=long",
        "reason=Too+long",
        "label=%25",
        "feature=translate",
        "since=9999-12-31T23:59:59%2B99:00",
    ],
)
async def test_a_filter_that_makes_no_sense_is_refused_with_a_sentence(client: httpx.AsyncClient, query: str) -> None:
    response = await client.get(f"/feedback?{query}")
    assert response.status_code == 422
    assert response.json()["detail"].endswith(".")


async def test_a_vote_is_logged_once_without_its_texts(empty: httpx.AsyncClient, server: Server) -> None:
    body = lab_vote(input_text="très secret", response_text="secret too", comment="my secret", rating=2)
    response = await empty.post("/feedback", json=body)
    (line,) = [
        line for line in server.events("feedback_submitted") if line["feedback_id"] == response.json()["feedback_id"]
    ]
    assert (line["rating"], line["feature"], line["input_length"], line["response_length"]) == (2, "summarize", 11, 10)
    assert line["sentiment"] == "negative"
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


async def test_stats_know_no_search(client: httpx.AsyncClient) -> None:
    assert (await client.get("/feedback/stats?q=x")).status_code == 422


async def test_the_dashboard_leads_to_a_conversation_that_it_leaves_out(empty: httpx.AsyncClient) -> None:
    for length, left_out in ((10, False), (2_000, True)):
        turns = [{"role": role, "content": "x" * length} for role in ("user", "assistant")]
        messages = [*turns, {"role": "user", "content": "Shorter?"}]
        answer = (await empty.post("/summarize/chat", json={"messages": messages, "stream": False})).json()
        feedback_id = await vote(empty, {"generation_id": answer["generation_id"], "rating": "thumbs_down"})
        page = (await empty.get("/feedback", headers={"accept": "text/html"})).text
        assert (f'<a href="/feedback/{feedback_id}">' in page) is left_out


async def test_stats_count_per_rating_hour_and_prompt(empty: httpx.AsyncClient) -> None:
    answer = await summarize(empty)
    await vote(empty, {"generation_id": answer["generation_id"], "rating": "thumbs_up"})
    await vote(empty, {"generation_id": answer["generation_id"], "rating": 1, "session_id": "another"})
    await vote(empty, lab_vote(rating=1))
    stats = (await empty.get("/feedback/stats")).json()
    assert (stats["total"], stats["satisfaction"]) == (2, 0.5)
    assert stats["ratings"] == {"thumbs_up": 1, "1": 1}
    assert sum(hour["total"] for hour in stats["over_time"]) == 2
    assert [(row["model"], row["satisfaction"]) for row in stats["by_prompt"]] == [("llama32", 0.5)]
    assert stats["other_texts"] == {"total": 1, "positive": 0, "neutral": 0, "negative": 1, "satisfaction": 0}
    assert stats["other_names"] == {}


async def test_metrics_count_votes_by_feature_rating_sentiment_and_prompt(empty: httpx.AsyncClient) -> None:
    line = 'canopy_feedback_total{feature="summarize",prompt_id="",rating="5",sentiment="positive"}'

    async def count() -> float:
        metrics = (await scrape(empty)).splitlines()
        return next(float(text.rpartition(" ")[2]) for text in metrics if text.startswith(line))

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
    assert wrong.headers["allow"] == "GET, HEAD, POST"
    for path in ("/healthz", "/metrics", "/docs"):  # and no method of features, which can't have these names
        assert (await client.post(path)).headers["allow"] == "GET, HEAD"


async def test_the_log_knows_pages_by_their_route(client: httpx.AsyncClient, server: Server) -> None:
    for path in ("/", "/docs", "/openapi.json"):
        request_id = (await client.get(path)).headers["x-request-id"]
        assert (await server.request_line(request_id))["http_route"] == path


async def test_statistics_say_on_how_many_answers_the_votes_are(empty: httpx.AsyncClient) -> None:
    async def generations(query: str = "") -> dict[str, Any]:
        found: dict[str, Any] = (await empty.get(f"/feedback/stats{query}")).json()["generations"]
        return found

    before = await generations()
    answer = await summarize(empty)
    await summarize(empty)
    await vote(empty, {"generation_id": answer["generation_id"], "rating": "thumbs_up"})
    after = await generations()
    assert after["votable"] == after["completed"] - after["compared"] + after["stopped"] == before["votable"] + 2
    assert after["voted_share"] == 1 / after["votable"]
    assert after["input_tokens"] > before["input_tokens"]
    assert after["time_to_first_token_seconds"] > 0
    (version,) = after["by_prompt"]
    assert version["total"] == sum(hour["total"] for hour in after["over_time"])
    assert version["first_used"] == after["over_time"][0]["hour"]
    assert (await generations("?prompt_id=sha256:other"))["total"] == 0
    assert (await generations("?until=2020-01-01"))["over_time"] == []
