"""Attacks on the places at the model: one person who takes all, comparisons that wait for each other."""

import asyncio

import httpx
import pytest
import yaml

from tests.http.conftest import ENVIRONMENT, events, values
from tests.http.signing_in import AUTH, ENTRIES, people
from tests.support.model_scripts import Script
from tests.support.model_server import FakeModelServer
from tests.support.server import running_server

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.own_server]

SLOW = Script(rate=10, count=20)  # two seconds


async def test_taking_every_place_and_the_whole_queue(
    model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Ben asks for more than there is; Cem's one summary is written all the same, and before most of Ben's."""
    folder = tmp_path_factory.mktemp("places")
    (folder / "tokens.yaml").write_text(yaml.safe_dump(ENTRIES))
    env = ENVIRONMENT | {
        "CANOPY_AUTH_TOKENS_FILE": str(folder / "tokens.yaml"),
        "CANOPY_MAX_GENERATIONS": "4",
        "CANOPY_MAX_QUEUED_GENERATIONS": "8",
        "CANOPY_KEEPALIVE_INTERVAL_SECONDS": "15",
        "CANOPY_MODEL_FIRST_TOKEN_TIMEOUT_SECONDS": "20",
    }
    model.scripts.clear()
    async with (
        running_server(folder, values(model, auth=AUTH["token"]), env=env) as server,
        people(server, "token") as (_, ben, cem, _),
    ):
        body = {"prompt": "A text.", "stream": False}
        assert (await cem.post("/summarize", json=body)).status_code == 200  # the first call loads the client library
        model.scripts["llama32"] = SLOW
        flood = [asyncio.create_task(ben.post("/summarize", json=body)) for _ in range(30)]
        refused, _ = await asyncio.wait(flood, return_when=asyncio.FIRST_COMPLETED)
        answers = {task.result().json()["code"] for task in refused}
        assert answers == {"rate_limited"}
        assert all("one person may" in task.result().json()["detail"] for task in refused)
        assert (await cem.post("/summarize", json=body)).status_code == 200
        # Two of Ben's were written beside Cem's at most, and two waited; the others cost the model nothing.
        statuses = [answer.status_code for answer in await asyncio.gather(*flood)]
        assert (statuses.count(200), statuses.count(429)) == (4, 26)


async def test_comparisons_that_each_hold_the_place_which_the_other_waits_for(
    model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("deadlock")
    config = values(model, summarize={"prompt_b": "Be brief:"}, ab_testing={"enabled": True})
    env = ENVIRONMENT | {
        "CANOPY_MAX_GENERATIONS": "3",
        "CANOPY_QUEUE_TIMEOUT_SECONDS": "20",
        "CANOPY_KEEPALIVE_INTERVAL_SECONDS": "15",
        "CANOPY_MODEL_FIRST_TOKEN_TIMEOUT_SECONDS": "20",
    }
    model.scripts.clear()
    async with (
        running_server(folder, config, env=env) as server,
        httpx.AsyncClient(base_url=server.url, timeout=60) as client,
    ):
        model.scripts["llama32"] = Script(rate=20, count=10)
        asked = [client.post("/summarize/ab", json={"prompt": "A text."}) for _ in range(6)]
        singles = [client.post("/summarize", json={"prompt": "A text."}) for _ in range(6)]
        for answer in await asyncio.gather(*asked, *singles):
            assert answer.status_code == 200
            assert "error" not in {event["type"] for event in events(answer.text)[:-1] if "type" in event}
        # Never more at the model than there are places, and nothing is left taken.
        metrics = (await client.get("/metrics")).text
        assert "canopy_generations_in_flight 0.0" in metrics
        assert "canopy_generations_queued 0.0" in metrics


async def test_a_comparison_where_there_is_one_place(
    model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("one")
    config = values(model, summarize={"prompt_b": "Be brief:"}, ab_testing={"enabled": True})
    env = ENVIRONMENT | {"CANOPY_MAX_GENERATIONS": "1", "CANOPY_MODEL_FIRST_TOKEN_TIMEOUT_SECONDS": "20"}
    model.scripts.clear()
    async with (
        running_server(folder, config, env=env) as server,
        httpx.AsyncClient(base_url=server.url, timeout=60) as client,
    ):
        answer = await client.post("/summarize/ab", json={"prompt": "A text.", "stream": False})
        assert {answer.json()[side]["type"] for side in ("a", "b")} == {"done"}
