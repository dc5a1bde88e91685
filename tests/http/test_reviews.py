"""GET and PUT /feedback/review: what a good answer would be, and the export that carries it."""

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from canopy.evals.suites.review import known_texts
from tests.attack.test_nasty import ODD
from tests.http.conftest import lab_vote, vote
from tests.support.scraping import scrape
from tests.support.server import Server
from tests.support.terminal import reviewing

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def review(client: httpx.AsyncClient, expected: str, **text: str) -> dict[str, Any]:
    response = await client.put("/feedback/review", json={"expected_result": expected, **text})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def exported(client: httpx.AsyncClient) -> dict[str, str]:
    tests = yaml.safe_load((await client.get("/feedback/export")).content)["tests"]
    return {test["prompt"]: test["expected_result"] for test in tests}


async def whole_queue(client: httpx.AsyncClient, **params: str) -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = []
    after: str | None = ""
    while after is not None:
        page = (await client.get("/feedback/review", params={"after": after, "limit": "50", **params})).json()
        cases += page["cases"]
        after = None if "at" in params else page["next"]
    return cases


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
        found = known_texts(http)
    assert len(found) == 51
    assert [(it.text, it.rating, it.comment) for it in found["text 50"].answers] == [
        ("a summary", "thumbs_down", "Comment 50.")
    ]


async def test_at_the_terminal_a_voters_words_are_taken_and_an_answer_is_found_fine(
    empty: httpx.AsyncClient, server: Server, tmp_path: Path
) -> None:
    await vote(empty, lab_vote(input_text="one", suggestion="Say that it rained."))
    await vote(empty, lab_vote(input_text="two"))
    suite = tmp_path / "feedback_tests.yaml"
    suite.write_bytes((await empty.get("/feedback/export")).content)

    def at_the_terminal() -> None:
        with reviewing(suite, "--backend", server.url) as terminal:
            terminal.reads("A voter says it should have said")
            terminal.reads("[v]oter")
            terminal.types("v\n")
            terminal.reads("Saved.")
            terminal.reads("[f]ine")
            terminal.types("f\n")
            terminal.reads("Canopy knows.")
            terminal.reads("1 case reviewed")

    await asyncio.to_thread(at_the_terminal)
    expected = [it["expected_result"] for it in yaml.safe_load(suite.read_bytes())["tests"]]
    assert expected == ["Say that it rained.", ""]
    assert [(it["prompt"], it["state"]) for it in await whole_queue(empty, state="fine")] == [("two", "fine")]
    assert set(await exported(empty)) == {"one"}


async def test_many_texts_are_reviewed_at_once_and_each_is_answered(empty: httpx.AsyncClient) -> None:
    names = [f"text {number}" for number in range(100)]
    await asyncio.gather(*(vote(empty, lab_vote(input_text=name)) for name in names))
    items = {it["prompt"]: it["item"] for it in await whole_queue(empty)}
    asked = [
        {"item": items["text 0"], "action": "fine", "revision": 0},
        {"item": items["text 1"], "expected_result": "Good."},
        {"item": items["text 2"], "action": "fine", "revision": 7},  # not as it was read
        {"item": items["text 3"][:-1] + "?", "action": "fine"},
        {"item": "summarize:" + "0" * 32, "action": "dismiss"},
        {"item": items["text 4"], "action": "judge_wrong"},  # no judge said anything
        {"item": items["text 5"], "action": "fine", "expected_result": "Good."},
        *({"item": items[name], "action": "dismiss"} for name in names[7:]),
    ]
    response = await empty.put("/feedback/review", json={"items": asked})
    assert response.status_code == 200
    results = response.json()["results"]
    assert len(results) == len(asked)
    assert [it.get("code", it.get("state")) for it in results[:8]] == [
        "fine",
        "expected",
        "review_conflict",
        "invalid_input",
        "feedback_not_found",
        "invalid_input",
        "invalid_input",
        "dismissed",
    ]
    assert [it["item"] for it in results if it["status"] == "error"] == [it["item"] for it in asked[2:7]]
    queue = (await empty.get("/feedback/review", params={"limit": 1})).json()
    assert queue["states"] == {"waiting": 5, "expected": 1, "fine": 1, "dismissed": 93}
    assert set(await exported(empty)) == {f"text {number}" for number in range(1, 7)}

    again = await empty.put(
        "/feedback/review", json={"items": [{"item": it["item"], "action": "undo"} for it in asked[7:]]}
    )
    assert {it["outcome"] for it in again.json()["results"]} == {"undone"}


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"items": []}, "`items`"),
        ({"items": [{"item": "summarize:" + "0" * 32, "action": "fine"}] * 101}, "`items`"),
        ({"items": [{"action": "fine", "item": "x"}], "action": "fine"}, "Beside `items`"),
        ({"items": [{"action": "burn", "item": "x"}]}, "`items.0.action`"),
        ({"items": [{"action": "fine", "items": []}]}, "not a field"),
        ({"action": "fine", "item": "x", "revision": -1}, "`revision`"),
        ({"action": "fine", "item": "summarize:" + "0" * 32, "revision": 2**63}, "`revision`"),
        ({"action": "fine", "item": "x\0"}, "NUL"),
    ],
)
async def test_reviews_of_many_that_make_no_sense_are_refused_whole(
    client: httpx.AsyncClient, body: Any, word: str
) -> None:
    response = await client.put("/feedback/review", json=body)
    assert response.status_code == 422, response.text
    assert word in response.json()["detail"]


async def test_who_comes_later_is_told_and_reads_what_was_done(empty: httpx.AsyncClient) -> None:
    await vote(empty, lab_vote(input_text="one"))
    (case,) = await whole_queue(empty)
    assert (case["position"], case["state"], case["revision"], case["people"], case["judges"]) == (
        1,
        "waiting",
        0,
        1,
        0,
    )
    asked = {"item": case["item"], "action": "fine", "revision": case["revision"]}
    assert (await empty.put("/feedback/review", json=asked)).json()["revision"] == 1
    assert (await empty.put("/feedback/review", json=asked)).json()["outcome"] == "repeated"
    late = await empty.put("/feedback/review", json={**asked, "action": "dismiss"})
    assert (late.status_code, late.json()["code"]) == (409, "review_conflict")
    assert "found the answer fine at 20" in late.json()["detail"]
    (case,) = await whole_queue(empty, at=case["item"])
    assert (case["position"], case["state"], case["revision"]) == (None, "fine", 1)
    assert [(it["action"], it["state_before"], it["state_after"]) for it in case["history"]] == [
        ("fine", "waiting", "fine")
    ]
    (same,) = await whole_queue(empty, at=case["feedback_id"])
    assert same["item"] == case["item"]
    for name in ("summarize:" + "0" * 32, "fb_never"):
        gone = await empty.get("/feedback/review", params={"at": name})
        assert (gone.status_code, gone.json()["code"]) == (404, "feedback_not_found")


async def test_a_narrowed_list_is_counted_on_its_first_page(empty: httpx.AsyncClient) -> None:
    for name in ("one", "two", "three"):
        await vote(empty, lab_vote(input_text=name, comment="Wrong."))
    await vote(empty, lab_vote(input_text="without"))
    first = (await empty.get("/feedback/review", params={"comment": "with", "limit": 2})).json()
    assert (first["total"], first["states"]["waiting"]) == (3, 3)
    second = (await empty.get("/feedback/review", params={"comment": "with", "after": first["next"]})).json()
    assert (second["total"], [(it["prompt"], it["position"]) for it in second["cases"]]) == (None, [("one", 3)])
    rest = (await empty.get("/feedback/review", params={"limit": 3})).json()
    later = (await empty.get("/feedback/review", params={"after": rest["next"]})).json()
    assert (later["total"], later["next"]) == (4, None)


async def test_an_unnamed_source_means_whoever_found_it_bad(empty: httpx.AsyncClient) -> None:
    await vote(empty, lab_vote(input_text="one"))
    for params, texts in (({}, 1), ({"source": ""}, 1), ({"source": "human"}, 1), ({"source": "judge"}, 0)):
        assert (await empty.get("/feedback/review", params=params)).json()["total"] == texts
        tests = yaml.safe_load((await empty.get("/feedback/export", params=params)).content)["tests"]
        assert len(tests) == texts


async def test_what_a_voter_suggests_waits_for_a_reviewer(empty: httpx.AsyncClient) -> None:
    feedback_id = await vote(empty, lab_vote(input_text="one", suggestion="Say that it rained."))
    (case,) = await whole_queue(empty)
    assert [(it["feedback_id"], it["text"]) for it in case["suggestions"]] == [(feedback_id, "Say that it rained.")]
    assert await exported(empty) == {"one": ""}
    await review(empty, "Say that it rained.", item=case["item"])
    assert await exported(empty) == {"one": "Say that it rained."}
