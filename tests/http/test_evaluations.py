"""What an evaluation asks is answered like any question, and counts for nothing that is told of users."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from canopy.store.opening import open_store
from tests.contract.store.records import a_generation
from tests.http.conftest import values
from tests.http.signing_in import credentials, guarded_server
from tests.support.model_scripts import SCRIPTS
from tests.support.model_server import FakeModelServer
from tests.support.server import running_server

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.own_server]

MARK = {"X-Canopy-Purpose": "evaluation"}


def metric(text: str, name: str) -> float:
    """The sum of a counter over its labels."""
    return sum(
        float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith((f"{name}{{", f"{name} "))
    )


ERRORS = "canopy_evaluation_request_errors_total"


async def counted(client: httpx.AsyncClient) -> tuple[float, float]:
    """How many generations are users' and how many evaluations'."""
    text = (await client.get("/metrics")).text
    return metric(text, "canopy_generations_total"), metric(text, "canopy_evaluation_generations_total")


async def asked(client: httpx.AsyncClient, path: str = "/summarize", **headers: str) -> dict[str, Any]:
    """The answer as one JSON object."""
    response = await client.post(path, json={"prompt": "A text.", "stream": False}, headers=headers)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def test_an_evaluation_is_marked_counted_apart_and_told_what_it_tested(
    model: FakeModelServer, tmp_path: Path
) -> None:
    both = {"summarize": {"prompt_b": "Be brief:"}, "ab_testing": {"enabled": True}}
    async with (
        running_server(tmp_path, values(model, **both)) as server,
        httpx.AsyncClient(base_url=server.url) as client,
    ):
        users = await asked(client)
        assert "evaluation" not in users
        tested = await asked(client, **MARK)
        assert tested["evaluation"]["model"] == tested["model"]
        assert tested["evaluation"]["prompt_id"].startswith("sha256:")
        assert tested["evaluation"]["parameters"].keys() >= {"temperature", "max_tokens"}
        events = await client.post("/summarize", json={"prompt": "A text."}, headers=MARK)
        assert '"evaluation":' in events.text
        # It is in no comparison, and it has one answer.
        compared = await asked(client, "/summarize/ab", **MARK)
        assert compared["evaluation"]["prompt_id"] == tested["evaluation"]["prompt_id"]
        assert "comparison_id" not in compared
        vote = {"generation_id": tested["generation_id"], "rating": "thumbs_down"}
        refused = await client.post("/feedback", json=vote)
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_input")
        # By its texts a vote finds the user's generation, which is older.
        texts = {"input_text": "A text.", "response_text": users["response"], "rating": "thumbs_up"}
        assert (await client.post("/feedback", json={**texts, "feature": "summarize"})).status_code == 200
        [entry] = (await client.get("/feedback")).json()["feedback"]
        assert entry["generation_id"] == users["generation_id"]
        finished = [line["evaluation"] for line in server.events("generation_finished")]
        assert finished == [False, True, True, True]
        async with asyncio.timeout(30):  # metrics are kept for a second
            while await counted(client) != (1, 3):
                await asyncio.sleep(0.1)


@pytest.mark.parametrize("purpose", ["evaluation, x", "eval", "evaluations", '"evaluation"'])
async def test_another_purpose_is_refused(client: httpx.AsyncClient, purpose: str) -> None:
    refused = await client.post("/summarize", json={"prompt": "A text."}, headers={"X-Canopy-Purpose": purpose})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_input")
    assert "`X-Canopy-Purpose` must be `evaluation`" in refused.json()["detail"]


@pytest.mark.parametrize("purpose", ["Evaluation", "evaluation ,evaluation"])
async def test_the_purpose_may_be_said_twice(client: httpx.AsyncClient, purpose: str) -> None:
    assert "evaluation" in await asked(client, **{"X-Canopy-Purpose": purpose})
    assert "evaluation" not in await asked(client, **{"X-Canopy-Purpose": ""})


async def test_errors_of_evaluations_are_counted_apart(client: httpx.AsyncClient, model: FakeModelServer) -> None:
    model.scripts["llama32"] = SCRIPTS["broken"]
    before = metric((await client.get("/metrics")).text, ERRORS)
    for headers in (MARK, {}):
        response = await client.post("/summarize", json={"prompt": "A text.", "stream": False}, headers=headers)
        assert response.status_code == 502
    async with asyncio.timeout(30):  # metrics are kept for a second
        while (now := metric((await client.get("/metrics")).text, ERRORS)) == before:
            await asyncio.sleep(0.1)
    assert now == before + 1


@pytest.mark.parametrize("mode", ["token", "proxy"])
async def test_only_who_may_evaluate_is_marked(model: FakeModelServer, tmp_path: Path, mode: str) -> None:
    async with (
        guarded_server(tmp_path, model, mode) as (server, _),
        httpx.AsyncClient(base_url=server.url) as client,
    ):
        assert "evaluation" in await asked(client, **MARK, **credentials(mode, "ana"))
        assert "evaluation" not in await asked(client, **MARK, **credentials(mode, "ben"))
        assert "evaluation" not in await asked(client, "/summarize", **credentials(mode, "ana"))


async def test_an_evaluator_may_evaluate_and_read_no_texts(model: FakeModelServer, tmp_path: Path) -> None:
    token = "nightly-0123456789abcdef"
    async with (
        guarded_server(tmp_path, model, "token") as (server, tokens),
        httpx.AsyncClient(base_url=server.url, headers={"Authorization": f"Bearer {token}"}) as client,
    ):
        tokens.write_text(json.dumps([{"name": "nightly", "role": "evaluator", "token": token}]))
        await server.event("tokens_reloaded")
        assert "evaluation" in await asked(client, **MARK)
        assert (await client.get("/feedback", headers={"Accept": "application/json"})).status_code == 403


async def test_retention_tells_of_old_evaluations_alone(model: FakeModelServer, tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'canopy.db'}")
    await store.start()
    await store.generations.record(a_generation(created_at=1_000_000, evaluation=True))
    await store.close()
    async with running_server(tmp_path, values(model), env={"CANOPY_RETENTION_DAYS": "1"}) as server:
        (event,) = await server.event("records_deleted")
    assert (event["generations"], event["evaluations"]) == (0, 1)
