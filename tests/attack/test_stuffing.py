"""One person tries to count for many."""

import asyncio
import uuid
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.attack.conftest import Target
from tests.http.conftest import ENVIRONMENT, summarize, values
from tests.http.signing_in import guarded_server, people
from tests.support.model_server import FakeModelServer
from tests.support.server import running_server

pytestmark = pytest.mark.asyncio(loop_scope="session")
MANY = 200


@pytest_asyncio.fixture(loop_scope="session")
async def alone(model: FakeModelServer, tmp_path: Path) -> AsyncGenerator[httpx.AsyncClient]:
    """An open server that nobody else votes on."""
    async with (
        running_server(tmp_path, values(model), env=ENVIRONMENT) as server,
        httpx.AsyncClient(base_url=server.url, timeout=60) as client,
    ):
        yield client


async def vote_at_once(client: httpx.AsyncClient, bodies: list[dict[str, Any]]) -> list[int]:
    """The statuses of these votes."""
    gate = asyncio.Semaphore(20)

    async def one(body: dict[str, Any]) -> int:
        async with gate:
            return (await client.post("/feedback", json=body)).status_code

    return await asyncio.gather(*map(one, bodies))


async def stats(client: httpx.AsyncClient) -> dict[str, Any]:
    found: dict[str, Any] = (await client.get("/feedback/stats")).json()
    return found


async def test_voting_on_one_response_under_many_names(target: Target) -> None:
    """A vote assesses what the values list, and nothing else."""
    async with target.client() as client:
        answer = await summarize(
            client, f"Canopy ties every vote to the exact model call that it judges. {uuid.uuid4()}"
        )
        bodies = [
            {"generation_id": answer["generation_id"], "rating": "thumbs_down", "name": f"name_{n}"}
            for n in range(MANY)
        ]
        assert set(await vote_at_once(client, bodies)) == {422}


async def test_voting_on_one_response_in_many_sessions(target: Target) -> None:
    """Where nobody proves who they are, a response takes few votes; elsewhere all of these are one person's."""
    async with target.client() as client:
        answer = await summarize(
            client, f"Canopy ties every vote to the exact model call that it judges. {uuid.uuid4()}"
        )
        bodies = [
            {"generation_id": answer["generation_id"], "rating": "thumbs_down", "session_id": f"{uuid.uuid4()}"}
            for _ in range(MANY)
        ]
        taken = []
        for body in bodies:
            response = await client.post("/feedback", json=body)
            if response.status_code == 200:
                taken.append(response.json()["feedback_id"])
            else:
                assert (response.status_code, response.json()["code"]) == (422, "too_many_voters")
        assert 1 <= len(set(taken)) <= 10


@pytest.mark.own_server
async def test_voting_on_ones_own_response_under_many_users(alone: httpx.AsyncClient) -> None:
    """Who asked in a session may vote in it, and is one of many once more when they call themselves something else."""
    asked = {"prompt": f"A text {uuid.uuid4()}", "stream": False, "session_id": "mine"}
    generation = (await alone.post("/summarize", json=asked)).json()["generation_id"]
    vote = {"generation_id": generation, "rating": "thumbs_down", "session_id": "mine"}
    statuses = await vote_at_once(alone, [vote | {"user_id": f"user{n}"} for n in range(MANY)])
    assert 1 <= statuses.count(200) <= 10
    assert set(statuses) == {200, 422}
    assert set(await vote_at_once(alone, [vote])) == {200}
    assert (await stats(alone))["total"] <= 11


@pytest.mark.own_server
async def test_voting_on_one_response_by_its_id_its_request_and_its_texts(alone: httpx.AsyncClient) -> None:
    """It is the same response, however it is named, and has one vote of each voter."""
    text = f"A text {uuid.uuid4()}"
    answer = await summarize(alone, text)
    ways = [
        {"generation_id": answer["generation_id"]},
        {"request_id": answer["request_id"]},
        {"input_text": text, "response_text": answer["response"]},
    ]
    bodies = [way | who | {"rating": "thumbs_down"} for who in ({}, {"user_id": "ana"}) for way in ways]
    assert set(await vote_at_once(alone, bodies * 20)) == {200}
    found = await stats(alone)
    assert (found["total"], found["negative"]) == (2, 2)


@pytest.mark.own_server
async def test_voting_on_the_same_texts_without_a_name_many_times(alone: httpx.AsyncClient) -> None:
    """Nobody in particular is one voter on a response; on texts from elsewhere their votes stand apart."""
    text = f"A text {uuid.uuid4()}"
    answer = await summarize(alone, text)
    await alone.post("/feedback", json={"generation_id": answer["generation_id"], "rating": 5, "user_id": "ana"})
    own = {"input_text": text, "response_text": answer["response"], "rating": "thumbs_down"}
    others = [{"input_text": "Texts", "response_text": "from elsewhere", "rating": "thumbs_down"}] * MANY
    assert set(await vote_at_once(alone, [own] * MANY + others)) == {200}
    found = await stats(alone)
    assert (found["total"], found["satisfaction"]) == (2, 0.5)
    assert (found["other_texts"]["total"], found["other_texts"]["satisfaction"]) == (MANY, 0)
    page = (await alone.get("/feedback", params={"origin": "other", "limit": 1})).json()
    assert (page["total"], page["feedback"][0]["generation_id"]) == (MANY, None)
    assert (await alone.get("/feedback", params={"origin": "own"})).json()["total"] == 2


@pytest.mark.own_server
async def test_changing_ones_vote_and_taking_it_back_many_times(alone: httpx.AsyncClient) -> None:
    """The metrics end where one vote leaves them: what was committed less what was taken back."""
    answer = await summarize(alone, f"A text {uuid.uuid4()}")
    body = {"generation_id": answer["generation_id"], "session_id": "me"}
    for number in range(50):
        rating = "thumbs_up" if number % 2 else "thumbs_down"
        sent = await alone.post("/feedback", json=body | {"rating": rating, "comment": f"{number}"})
        if number % 5 == 0:
            await alone.delete(f"/feedback/{sent.json()['feedback_id']}")
    lines = (await alone.get("/metrics")).text.splitlines()

    def count(metric: str, rating: str) -> float:
        start, wanted = f"canopy_{metric}_total{{", f'rating="{rating}"'
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(start) and wanted in line)

    in_force = {
        rating: count("feedback", rating) - count("feedback_deleted", rating) for rating in ("thumbs_up", "thumbs_down")
    }
    assert in_force == {"thumbs_up": 1, "thumbs_down": 0}
    assert (await stats(alone))["total"] == 1


@pytest.mark.own_server
async def test_judging_names_that_the_values_list_as_satisfaction(model: FakeModelServer, tmp_path: Path) -> None:
    """Names of one's own are counted each for itself."""
    config = values(model, feedback={"names": ["user_satisfaction", "tone", "clarity"]})
    async with (
        running_server(tmp_path, config, env=ENVIRONMENT) as server,
        httpx.AsyncClient(base_url=server.url, timeout=60) as client,
    ):
        answer = await summarize(client)
        body = {"generation_id": answer["generation_id"], "rating": "thumbs_down"}
        await client.post("/feedback", json=body | {"rating": "thumbs_up"})
        for name in ("tone", "clarity"):
            assert (await client.post("/feedback", json=body | {"name": name})).status_code == 200
        found = await stats(client)
        metrics = (await client.get("/metrics")).text
    assert (found["total"], found["satisfaction"]) == (1, 1.0)
    assert found["other_names"]["tone"]["satisfaction"] == 0
    down = [line for line in metrics.splitlines() if 'rating="thumbs_down"' in line and "_created" not in line]
    assert down
    assert all(line.endswith(" 0.0") for line in down)


@pytest.mark.own_server
@pytest.mark.parametrize("mode", ["token", "proxy"])
async def test_deciding_an_experiment_and_a_response_alone_with_many_sessions(
    model: FakeModelServer, tmp_path: Path, mode: str
) -> None:
    """Where Canopy knows who asks, sessions make nobody a second voter. Held before as well: this keeps it so."""
    async with guarded_server(tmp_path, model, mode) as (server, _), people(server, mode) as (ana, ben, _, _):
        answer = await summarize(ben)
        for number in range(20):
            session = {"X-Session-Id": f"session {number}"}
            asked = await ben.post("/summarize/ab", json={"prompt": "A text.", "stream": False}, headers=session)
            ballot = {"comparison_id": asked.json()["comparison_id"], "preference": "a"}
            assert (await ben.post("/feedback/ab", json=ballot, headers=session)).status_code == 200
            vote = {"generation_id": answer["generation_id"], "rating": "thumbs_down"}
            assert (await ben.post("/feedback", json=vote, headers=session)).status_code == 200
        results = (await ana.get("/feedback/ab")).json()
        assert results["total"] == 20
        assert results["statistics"]["voters"] == 1
        assert (await stats(ana))["total"] == 1
