"""Attacks on the disk and on what votes say: more text than a person writes, votes on texts that nobody asked for."""

import asyncio
import uuid

import pytest

from tests.http.conftest import lab_vote, summarize
from tests.http.signing_in import guarded_server, people
from tests.support.model_server import FakeModelServer

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.own_server]


@pytest.mark.parametrize("mode", ["token", "open"])
async def test_filling_the_disk_with_texts(
    model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory, mode: str
) -> None:
    """Votes with long texts end at the day's budget: of the user, or of all where nobody is known."""
    limits = {"bytes_per_day": 300_000, "open_bytes_per_day": 300_000}
    async with (
        guarded_server(tmp_path_factory.mktemp("disk"), model, mode, rate_limits=limits) as (server, _),
        people(server, mode) as (_, ben, cem, _),
    ):
        sent = 0
        for _ in range(50):
            answer = await ben.post("/feedback", json=lab_vote(response_text="x" * 20_000))
            if answer.status_code != 200:
                break
            sent += 20_000
        assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
        assert "Try again in" in answer.json()["detail"]
        assert 3_600 < int(answer.headers["retry-after"]) <= 2 * 86_400
        assert 200_000 < sent <= 300_000
        # Summaries store text, too; other people go on, where Canopy can tell them apart.
        assert (await ben.post("/summarize", json={"prompt": "A text."})).status_code == 429
        assert (await cem.post("/feedback", json=lab_vote())).status_code == (200 if mode == "token" else 429)
        assert (await ben.get("/")).status_code == 200


async def test_spending_everybodys_budget_by_what_is_refused(
    model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with (
        guarded_server(
            tmp_path_factory.mktemp("refused"), model, "open", rate_limits={"open_bytes_per_day": 100_000}
        ) as (server, _),
        people(server, "open") as (_, ben, cem, _),
    ):
        for path in ("/feedback", "/feedback/ab", "/summarize", "/summarize/chat", "/summarize/ab"):
            for _ in range(20):  # each twice what the budget has, and more requests than it has records
                assert (await ben.post(path, content=b"[" * 10_000)).status_code == 422
        refused = {"input_text": "x", "response_text": "y" * 50_000, "rating": "no rating"}
        for _ in range(5):
            assert (await ben.post("/feedback", json=refused)).status_code == 422
            assert (await ben.put("/feedback/review", json=refused)).status_code == 422
        assert (await cem.post("/feedback", json=lab_vote())).status_code == 200
        assert (await cem.post("/summarize", json={"prompt": "A text."})).status_code == 200


async def test_sending_many_things_at_once_as_the_one_thing_more(
    model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with (
        guarded_server(tmp_path_factory.mktemp("at_once"), model, "token", rate_limits={"bytes_per_day": 300_000}) as (
            server,
            _,
        ),
        people(server, "token") as (_, ben, _, _),
    ):
        bodies = [lab_vote(response_text=f"{number:03}" * 8_000) for number in range(60)]
        answers = await asyncio.gather(*(ben.post("/feedback", json=body) for body in bodies))
        statuses = [answer.status_code for answer in answers]
        assert set(statuses) == {200, 429}
        assert statuses.count(200) <= 300_000 // 24_000 + 1


async def test_what_the_model_writes_counts_also_for_a_client_that_goes_away(
    model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    limits = {"bytes_per_day": 2_100, "summarize": ""}
    async with (
        guarded_server(tmp_path_factory.mktemp("written"), model, "token", rate_limits=limits) as (server, _),
        people(server, "token") as (_, ben, _, _),
    ):
        await summarize(ben)
        await summarize(ben)  # two requests are 2,000 bytes; what they ask and what is answered is the rest
        assert (await ben.post("/summarize", json={"prompt": "A text."})).status_code == 429


async def test_rating_made_up_texts_without_end(
    model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    limits = {"foreign_votes_per_day": 5}
    async with (
        guarded_server(tmp_path_factory.mktemp("foreign"), model, "token", rate_limits=limits) as (server, _),
        people(server, "token") as (_, ben, cem, _),
    ):
        made_up = [lab_vote() for _ in range(8)]
        statuses = [(await ben.post("/feedback", json=body)).status_code for body in made_up]
        assert statuses == [200] * 5 + [429] * 3
        refused = await ben.post("/feedback", json=lab_vote())
        assert "that Canopy didn't write" in refused.json()["detail"]
        # Votes on Canopy's own responses are taken as ever, by id and by their texts, and other people's too.
        text = f"A text {uuid.uuid4()}."
        written = await summarize(ben, text)
        for body in (
            {"generation_id": written["generation_id"], "rating": "thumbs_up"},
            {"input_text": text, "response_text": written["response"], "rating": "thumbs_down"},
        ):
            assert (await ben.post("/feedback", json=body)).status_code == 200
        assert (await cem.post("/feedback", json=lab_vote())).status_code == 200
