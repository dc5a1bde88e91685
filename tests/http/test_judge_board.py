"""Judges beside people: on entries, as a filter, in the queue, and as a metric."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from canopy.config.values import Values
from canopy.judges.definitions import configured_judges
from canopy.store.opening import open_store
from tests.http.conftest import entries, lab_vote, vote
from tests.support.judging import opinions
from tests.support.server import running_server

VALUES = {"LLAMA_STACK_URL": "http://127.0.0.1:9"}  # nobody generates anything here


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def board(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[httpx.AsyncClient]:
    folder: Path = tmp_path_factory.mktemp("board")
    store = open_store(f"sqlite:///{folder / 'canopy.db'}")
    await store.start()
    await opinions(store, configured_judges(Values.model_validate(VALUES), lambda name: name))
    await store.close()
    async with (
        running_server(folder, VALUES, env={"CANOPY_JUDGE_AGREEMENT_INTERVAL_SECONDS": "0.1"}) as server,
        httpx.AsyncClient(base_url=server.url, timeout=20) as client,
    ):
        yield client


pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_an_entry_carries_what_judges_said_about_its_response(board: httpx.AsyncClient) -> None:
    (entry,) = await entries(board, q="hallucination_detected, good for a person, 0")
    (judgement,) = entry["judgements"]
    assert judgement.pop("id").startswith("fb_")
    assert judgement == {
        "judge": "accuracy",
        "label": "hallucination_detected",
        "sentiment": "negative",
        "model": "llama32",
        "rationale": "Because of hallucination_detected.",
    }
    assert [entry["judgements"] for entry in await entries(board, q="No judge has seen")] == [[]]


@pytest.mark.parametrize(
    ("query", "total"),
    [
        ({"label": "hallucination_detected"}, 17),
        ({"label": "hallucination_detected", "rating": "positive"}, 2),
        ({"label": "hallucination_detected", "source": "judge"}, 18),
        ({"label": "hallucination_detected", "source": "any"}, 36),
        ({"label": "good", "source": "judge"}, 1),
        ({"label": "off_topic"}, 0),
    ],
)
async def test_entries_are_filtered_by_a_judges_label(
    board: httpx.AsyncClient, query: dict[str, Any], total: int
) -> None:
    answer = (await board.get("/feedback", params={**query, "limit": 200})).json()
    assert (answer["total"], len(answer["feedback"])) == (total, total)


async def test_the_worst_come_first_and_page_by_page(board: httpx.AsyncClient) -> None:
    texts: list[str] = []
    cursor = None
    while True:
        page = {"order": "worst", "limit": "8", **({"cursor": cursor} if cursor else {})}
        answer = (await board.get("/feedback", params=page)).json()
        assert answer["total"] is None
        texts += [entry["input_text"] for entry in answer["feedback"]]
        cursor = answer["next"]
        if cursor is None:
            break
    assert texts[:15] == [f"hallucination_detected, bad for a person, {number}" for number in range(14, -1, -1)]
    by_people = ["No judge has seen this.", *(f"accurate, bad for a person, {number}" for number in (2, 1, 0))]
    assert texts[15:19] == by_people
    assert texts[19:] == [
        "Nobody voted on this.",
        *(f"hallucination_detected, good for a person, {number}" for number in (1, 0)),
    ]


@pytest.mark.parametrize(
    "query",
    [
        {"order": "best"},
        {"order": "worst", "rating": "positive"},
        {"order": "worst", "q": "a"},
        {"order": "worst", "label": "good"},
        {"order": "worst", "source": "judge"},
        {"order": "worst", "cursor": "MTox"},
        {"label": "No label"},
    ],
)
async def test_what_makes_no_sense_is_refused(board: httpx.AsyncClient, query: dict[str, str]) -> None:
    assert (await board.get("/feedback", params=query)).status_code == 422


async def test_the_agreement_of_a_judge_is_a_metric_and_that_of_one_without_votes_is_absent(
    board: httpx.AsyncClient,
) -> None:
    async def kappas() -> list[str]:
        lines = (await board.get("/metrics")).text.splitlines()
        return [line for line in lines if line.startswith("canopy_judge_agreement_kappa{")]

    async with asyncio.timeout(20):
        while not (found := await kappas()):
            await asyncio.sleep(0.05)
    (line,) = found
    assert line.startswith('canopy_judge_agreement_kappa{judge="accuracy"} 0.746')


async def test_a_vote_on_texts_that_nobody_judged_has_no_labels(board: httpx.AsyncClient) -> None:
    feedback_id = await vote(board, lab_vote(rating="thumbs_up"))
    (entry,) = [entry for entry in await entries(board, limit=1) if entry["id"] == feedback_id]
    assert entry["judgements"] == []
    await board.delete(f"/feedback/{feedback_id}")
