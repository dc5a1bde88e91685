"""A challenger that is a model with parameters of its own: what is asked, what is kept, and what nobody is told."""

import sqlite3
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.http.comparing import A, ab_values, compare, prefer, session, side_of
from tests.http.conftest import ENVIRONMENT, drain
from tests.support.model_server import FakeModelServer
from tests.support.server import Server, running_server

pytestmark = pytest.mark.asyncio(loop_scope="session")

MODELS = ("llama32", "granite-next")
OF_A: dict[str, Any] = {"model": MODELS[0], "temperature": 0.5, "max_tokens": 200}
OF_B: dict[str, Any] = {"model": MODELS[1], "temperature": 0.25, "max_tokens": 90}
HTML = {"accept": "text/html"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def comparing(model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    model.scripts.clear()
    own = {"prompt_b": "", "model_b": MODELS[1], "temperature_b": 0.25, "max_tokens_b": 90}
    async with running_server(
        tmp_path_factory.mktemp("models"), ab_values(model, summarize=own), env=ENVIRONMENT
    ) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def client(comparing: Server) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=comparing.url, timeout=20) as http:
        yield http


async def test_each_side_asks_its_own_model_with_its_own_parameters_and_is_recorded_so(
    comparing: Server, client: httpx.AsyncClient, model: FakeModelServer
) -> None:
    await drain(model)
    own = session()
    found = await compare(client, **own)
    asked = [(await model.next_request()).body for _ in range(2)]
    assert sorted(({key: body[key] for key in OF_A} for body in asked), key=str) == sorted([OF_A, OF_B], key=str)
    assert {body["messages"][0]["content"] for body in asked} == {A}
    told = await prefer(client, found[0]["comparison_id"], "a", **own)
    by_variant = dict(zip(("prompt", "prompt_b"), MODELS, strict=True))
    assert told["models"] == {side: by_variant[variant] for side, variant in told["prompt_mapping"].items()}
    for side, variant in told["prompt_mapping"].items():
        (end,) = (event for event in side_of(found, side) if event.get("type") == "done")
        made = (
            await client.get(f"/generations/{end['generation_id']}", headers={"x-session-id": own["session_id"]})
        ).json()
        produced = made["produced"]
        assert {"model": produced["model"], **produced["parameters"]} == (OF_B if variant == "prompt_b" else OF_A)
    assert {it["model"] for it in await comparing.event("generation_finished", 2)} == set(MODELS)
    ballot = (await comparing.event("ab_preference_submitted"))[-1]
    assert (ballot["model"], ballot["model_b"]) == MODELS
    assert comparing.config_path
    with sqlite3.connect(comparing.config_path.with_name("canopy.db")) as database:
        rows = database.execute("SELECT model, temperature, max_tokens FROM experiments").fetchall()
        of_b = database.execute("SELECT model_b, temperature_b, max_tokens_b FROM experiments").fetchall()
    assert (rows, of_b) == ([tuple(OF_A.values())], [tuple(OF_B.values())])


async def test_the_experiment_is_told_with_both_to_reviewers(client: httpx.AsyncClient) -> None:
    own = session()
    await prefer(client, (await compare(client, **own))[0]["comparison_id"], "a", **own)
    one = (await client.get("/experiments/current")).json()
    it = one["experiment"]
    assert {key: it[f"{key}_b"] for key in OF_B} == OF_B
    assert it["prompt"] == it["prompt_b"]
    assert one["stage"] == "running"
    page = (await client.get(f"/experiments/{it['id']}", headers=HTML)).text
    assert "B with <strong>the model granite-next, temperature 0.25, at most 90 tokens</strong>" in page
    cost = (await client.get(f"/experiments/{it['id']}/cost")).json()
    assert cost["prompt"]["answers"] == cost["prompt_b"]["answers"] > 0
    status = (await client.get("/status", headers={"accept": "application/json"})).json()
    assert status["parts"]["model_server"]["facts"]["models"] == sorted(MODELS)
