"""GET and PUT /feedback/review: what a good answer would be, and the export that carries it."""

import re
from typing import Any

import httpx
import pytest
import yaml

from canopy.evals.suites.review import bad_answers
from tests.attack.test_nasty import ODD
from tests.http.conftest import lab_vote, vote
from tests.support.scraping import scrape
from tests.support.server import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def review(client: httpx.AsyncClient, expected: str, **text: str) -> dict[str, Any]:
    response = await client.put("/feedback/review", json={"expected_result": expected, **text})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def exported(client: httpx.AsyncClient) -> dict[str, str]:
    tests = yaml.safe_load((await client.get("/feedback/export")).content)["tests"]
    return {test["prompt"]: test["expected_result"] for test in tests}


async def test_what_a_reviewer_wrote_comes_with_the_export(empty: httpx.AsyncClient, server: Server) -> None:
    feedback_id = await vote(empty, lab_vote(input_text="one", comment="Wrong.", reasons=["inaccurate"]))
    await vote(empty, lab_vote(input_text="two", rating=2))
    queue = (await empty.get("/feedback/review")).json()
    assert (queue["total"], queue["reviewed"], queue["next"]) == (2, 0, None)
    first = queue["cases"][1]  # the newest comes first
    assert (first["feedback_id"], first["prompt"], first["expected_result"]) == (feedback_id, "one", "")
    (answer,) = first["answers"]
    assert (answer["rating"], answer["comment"], answer["reasons"]) == ("thumbs_down", "Wrong.", ["inaccurate"])
    assert answer["response_text"] == "a summary"

    before = len(server.events("review_saved"))
    assert await review(empty, "A good one.", feedback_id=feedback_id) == {
        "status": "ok",
        "outcome": "created",
        "item": first["item"],
        "state": "expected",
        "revision": 1,
    }
    assert await exported(empty) == {"one": "A good one.", "two": ""}
    line = (await server.event("review_saved", before + 1))[-1]
    assert (line["outcome"], line["feature"], line["input_length"], line["expected_length"]) == (
        "created",
        "summarize",
        3,
        11,
    )
    assert not any(b"A good one." in line for line in server.lines)
    counted = re.search(
        r'^canopy_reviews_total{feature="summarize",outcome="created"} (.+)$', await scrape(empty), re.M
    )
    assert counted
    assert float(counted[1]) >= 1
    queue = (await empty.get("/feedback/review")).json()
    assert ([case["prompt"] for case in queue["cases"]], queue["total"], queue["reviewed"]) == (["two"], 2, 1)


async def test_a_review_can_be_changed_and_taken_back_and_a_retry_is_harmless(empty: httpx.AsyncClient) -> None:
    await vote(empty, lab_vote(input_text="one"))
    texts = ("a", "a", "b", "")
    outcomes = [(await review(empty, text, prompt="one"))["outcome"] for text in texts]
    assert outcomes == ["created", "repeated", "replaced", "deleted"]
    assert (await review(empty, "", prompt="one", feature="summarization"))["outcome"] == "repeated"
    assert await exported(empty) == {"one": ""}


async def test_every_character_that_can_be_stored_survives_review_and_export(empty: httpx.AsyncClient) -> None:
    text = "".join(map(chr, range(1, 0x250))) + "\u2028\u2029\ufeff\ufffe\uffff👩‍👩‍👧‍👦\n---\n\ttab\r\n\x85"
    await vote(empty, lab_vote(input_text=text))
    await review(empty, text, prompt=text)
    assert await exported(empty) == {text: text}
    (case,) = (await empty.get("/feedback/review", params={"state": "all"})).json()["cases"]
    assert case["expected_result"] == text


async def test_a_text_that_nobody_voted_on_is_not_found(empty: httpx.AsyncClient) -> None:
    for text in ({"prompt": "never"}, {"feedback_id": "fb_never"}):
        response = await empty.put("/feedback/review", json={"expected_result": "x", **text})
        assert (response.status_code, response.json()["code"]) == (404, "feedback_not_found")


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"expected_result": "x"}, "either"),
        ({"expected_result": "x", "prompt": "one", "feedback_id": "fb_x"}, "either"),
        ({"prompt": "one"}, "`expected_result` is missing"),
        ({"prompt": "one", "expected_result": " \n"}, "white space"),
        ({"prompt": "one", "expected_result": "x" * 100_001}, "100,001 characters"),
        ({"prompt": "one", "expected_result": "x", "feature": "summarize_chat"}, "`feature` must be `summarize`"),
        ({"prompt": "one", "expected_result": "x", "reviewer": "me"}, "not a field"),
    ],
)
async def test_a_review_that_makes_no_sense_is_refused(client: httpx.AsyncClient, body: Any, word: str) -> None:
    response = await client.put("/feedback/review", json=body)
    assert response.status_code == 422
    assert word in response.json()["detail"]


async def test_odd_ids_are_refused_or_not_found(client: httpx.AsyncClient) -> None:
    for odd in (it for it in ODD if not isinstance(it, float)):
        try:
            response = await client.put("/feedback/review", json={"expected_result": "x", "feedback_id": odd})
        except UnicodeEncodeError:  # a lone surrogate, which this client can't write
            continue
        assert response.status_code in {404, 422}, odd


async def test_the_terminals_review_reads_every_page(empty: httpx.AsyncClient, server: Server) -> None:
    for number in range(51):
        await vote(empty, lab_vote(input_text=f"text {number}", comment=f"Comment {number}."))
    with httpx.Client(base_url=server.url, timeout=20) as http:
        found = bad_answers(http)
    assert len(found) == 51
    assert [(it.text, it.rating, it.comment) for it in found["text 50"]] == [
        ("a summary", "thumbs_down", "Comment 50.")
    ]
