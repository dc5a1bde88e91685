"""Judging while serving: in the background, on nobody's time, and apart from people's votes."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from canopy.config.values import Values
from canopy.judges.definitions import Judge, configured_judges
from canopy.store.feedback.query import Filter
from canopy.store.opening import open_store
from tests.http.conftest import entries, summarize
from tests.support.judging import ACCURATE, JUDGE
from tests.support.model_scripts import SCRIPTS, Script
from tests.support.model_server import FakeModelServer
from tests.support.scraping import scrape
from tests.support.server import Server, running_server


@asynccontextmanager
async def judging(
    folder: Path, model: FakeModelServer, script: Script, **values: Any
) -> AsyncGenerator[tuple[Server, httpx.AsyncClient]]:
    """A server that judges every response online, unless the values say otherwise."""
    base = {"LLAMA_STACK_URL": model.url, "judging": {"online": True}, "judges": [JUDGE]}
    model.scripts["judge"] = script
    env = {"CANOPY_MODEL_RETRIES": "0"}
    async with (
        running_server(folder, base | values, env=env) as server,
        httpx.AsyncClient(base_url=server.url, timeout=20) as client,
    ):
        yield server, client


def accuracy(model: FakeModelServer) -> Judge:
    (judge,) = configured_judges(Values.model_validate({"LLAMA_STACK_URL": model.url, "judges": [JUDGE]}), str)
    return judge


def samples(metrics: str, name: str) -> list[str]:
    """The series of a metric that something has happened to."""
    return [line for line in metrics.splitlines() if line.startswith(name + "{") and not line.endswith(" 0.0")]


async def test_a_label_is_feedback_of_a_judge_and_no_vote(tmp_path: Path) -> None:
    wrong = Script(tokens=('{"rationale": "It is not there.", "label": "wrong"}',))
    async with FakeModelServer() as model, judging(tmp_path, model, wrong) as (server, client):
        answer = await summarize(client, "A text to judge.")
        (line,) = await server.event("judgement_recorded", within=30)
        assert (line["label"], line["generation_id"]) == ("wrong", answer["generation_id"])
        assert line["generation_trace_id"] == answer["request_id"]
        assert "It is not there." not in str(server.log)

        assert await entries(client) == []
        assert (await client.get("/feedback/stats")).json()["total"] == 0
        (entry,) = await entries(client, source="judge")
        assert (entry["name"], entry["rating"], entry["comment"]) == ("accuracy", "wrong", "It is not there.")
        assert (entry["source"], entry["source_id"], entry["user_id"]) == ("LLM_JUDGE", "judge", None)
        assert await entries(client, source="any", rating="negative") == [entry]
        assert (await client.get("/feedback", params={"source": "nobody"})).status_code == 422

        for source, prompts in (("human", []), ("judge", ["A text to judge."]), ("any", ["A text to judge."])):
            exported = await client.get("/feedback/export", params={"source": source})
            assert [test["prompt"] for test in yaml.safe_load(exported.text)["tests"]] == prompts

        assert (await client.delete(f"/feedback/{entry['id']}")).status_code == 200
        metrics = await scrape(client)
        assert samples(metrics, "canopy_judgements_total") == [
            'canopy_judgements_total{judge="accuracy",label="wrong"} 1.0'
        ]
        assert samples(metrics, "canopy_feedback_total") == []
        assert samples(metrics, "canopy_feedback_deleted_total") == []
        assert [line.split()[-1] for line in samples(metrics, "canopy_generations_total")] == ["1.0"]
        page = await client.get("/feedback", params={"source": "judge"}, headers={"accept": "text/html"})
        assert page.status_code == 200


async def test_a_judge_that_hangs_delays_nothing_and_gives_its_turns_back_at_the_end(tmp_path: Path) -> None:
    async with (
        FakeModelServer() as model,
        judging(tmp_path, model, SCRIPTS["slow_first_token"]) as (server, client),
    ):
        answers = [await summarize(client, f"Text {n}.") for n in range(4)]
        await asyncio.gather(
            *(client.post("/feedback", json={"generation_id": it["generation_id"], "rating": 5}) for it in answers)
        )
        async with asyncio.timeout(30):
            while sum(request.body["model"] == "judge" for request in model.requests) < 2:
                await asyncio.sleep(0.02)
        assert await server.stop() == 0
    store = open_store(f"sqlite:///{tmp_path / 'canopy.db'}")
    await store.start()
    assert await store.feedback.count(Filter()) == 4
    assert await store.feedback.count(Filter(source="judge")) == 0
    assert len(await store.judgements.unjudged("accuracy", accuracy(model).version, 0, None, 10)) == 4
    await store.close()


async def test_a_judge_that_fails_is_told_of_and_nothing_else_happens(tmp_path: Path) -> None:
    async with FakeModelServer() as model, judging(tmp_path, model, SCRIPTS["broken"]) as (server, client):
        await summarize(client)
        (line,) = await server.event("judgement_failed", within=30)
        assert (line["level"], line["code"], line["judge"]) == ("warning", "model_error", "accuracy")
        model.scripts["judge"] = ACCURATE
        await summarize(client)
        await server.event("judgement_recorded", within=30)
        assert server.events("request_failed") == []
        assert samples(await scrape(client), "canopy_judgement_failures_total") == [
            'canopy_judgement_failures_total{code="model_error",judge="accuracy"} 1.0'
        ]


async def test_the_switch_works_while_serving_and_the_sides_of_a_comparison_are_left_alone(tmp_path: Path) -> None:
    ab = {"summarize": {"prompt_b": "Be brief."}, "ab_testing": {"enabled": True}}
    async with (
        FakeModelServer() as model,
        judging(tmp_path, model, ACCURATE, judging={"online": False}, **ab) as (server, client),
    ):
        await summarize(client)
        server.write_values({"LLAMA_STACK_URL": model.url, "judging": {"online": True}, "judges": [JUDGE]} | ab)
        await server.event("config_reloaded", within=30)
        await client.post("/summarize/ab", json={"prompt": "A text."})
        answer = await summarize(client)
        (line,) = await server.event("judgement_recorded", within=30)
        assert line["generation_id"] == answer["generation_id"]
        assert sum(request.body["model"] == "judge" for request in model.requests) == 1


async def test_more_than_may_wait_is_dropped_and_counted(tmp_path: Path) -> None:
    judges = [JUDGE | {"name": f"judge-{n}"} for n in range(20)]
    async with (
        FakeModelServer() as model,
        judging(tmp_path, model, SCRIPTS["slow_first_token"], judges=judges) as (_, client),
    ):
        await asyncio.gather(*(summarize(client) for _ in range(7)))
        async with asyncio.timeout(30):  # of 140 judgements 2 are under way and 100 wait
            dropped = 0.0
            while dropped < 38:
                lines = samples((await client.get("/metrics")).text, "canopy_judgements_dropped_total")
                dropped = sum(float(line.split()[-1]) for line in lines)
                await asyncio.sleep(0.05)
