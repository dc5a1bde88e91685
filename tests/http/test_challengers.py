"""A challenger that is a model with parameters of its own: what is asked, what is kept, and what nobody is told."""

import sqlite3
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.http.comparing import A, ab_values, compare, prefer, session, side_of
from tests.http.conftest import ENVIRONMENT, drain
from tests.support.model_scripts import SCRIPTS, TOKENS, Script
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


async def test_nothing_before_the_vote_names_a_model_or_tells_the_sides_apart(
    comparing: Server, client: httpx.AsyncClient, model: FakeModelServer
) -> None:
    own = session()
    stream = await client.post("/summarize/ab", json={"prompt": "A long text.", **own})
    whole = await client.post("/summarize/ab", json={"prompt": "A long text.", "stream": False, **own})
    seen = [stream, whole, await client.get("/", headers=HTML)]
    for side in ("a", "b"):
        address = f"/generations/{whole.json()[side]['generation_id']}"
        heads = ({"accept": it, "x-session-id": own["session_id"]} for it in ("text/html", "application/json"))
        seen += [await client.get(address, headers=it) for it in heads]
    model.scripts[MODELS[1]] = SCRIPTS["not_found"]
    seen.append(await client.post("/summarize/ab", json={"prompt": "A long text.", **own}))
    assert {it.status_code for it in seen} == {200}
    assert "model_not_found" in seen[-1].text
    assert "set `summarize.model` or `summarize.model_b` in the values" in seen[-1].text
    (failed,) = [it for it in await comparing.event("request_failed") if it["code"] == "model_not_found"]
    assert f"no model `{MODELS[1]}`: set `summarize.model_b` in" in failed["error"]
    for response in seen:
        told = f"{response.text} {response.headers}"
        assert not [name for name in MODELS if name in told], response.request.url
    for telling in ("usage", "token", "duration", "temperature", "prompt_b"):
        assert telling not in stream.text + whole.text


async def test_at_equal_pace_the_fast_model_waits_and_its_own_time_is_kept(
    model: FakeModelServer, tmp_path: Path
) -> None:
    own = {"prompt_b": "", "model_b": MODELS[1]}
    paced = ab_values(model, summarize=own, ab_testing={"equal_pace": True})
    async with (
        running_server(tmp_path, paced, env=ENVIRONMENT) as server,
        httpx.AsyncClient(base_url=server.url, timeout=20) as client,
    ):
        model.scripts[MODELS[1]] = Script(rate=40)
        found = await compare(client, **session())
        took = {it["model"]: it["duration_seconds"] for it in await server.event("generation_finished", 2)}
    counts = {"a": 0, "b": 0}
    for event in found:
        if isinstance(event, dict) and "delta" in event:
            counts[event["variant"]] += len(event["delta"])
            if event["variant"] == "b":
                assert counts["a"] == counts["b"]  # after each pair of pieces
    assert counts["a"] == counts["b"] == len("".join(TOKENS))
    assert took[MODELS[0]] < took[MODELS[1]]
