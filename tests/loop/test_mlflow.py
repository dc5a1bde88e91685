"""Traces and votes as a real MLflow has them, from a real process with a real SDK."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest

from tests.support.mlflow import MlflowServer
from tests.support.model_server import FakeModelServer
from tests.support.scraping import scrape, scrape_until
from tests.support.server import Server, running_server

pytestmark = [pytest.mark.slow, pytest.mark.long]

LAUNCHER = [str(Path(sys.executable).with_name("opentelemetry-instrument"))]
SDK = {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}


@dataclass
class Loop:
    """Canopy, a client of it, and the MLflow that it tells."""

    server: Server
    client: httpx.AsyncClient
    mlflow: MlflowServer
    experiment: str

    async def summary(self, **who: str) -> dict[str, Any]:
        asked = {"prompt": "A text about trees.", "stream": False} | who
        answer = await self.client.post("/summarize", json=asked)
        found: dict[str, Any] = answer.raise_for_status().json()
        return found

    async def vote(self, on: dict[str, Any], rating: object, **more: Any) -> str:
        answer = await self.client.post("/feedback", json={"request_id": on["request_id"], "rating": rating} | more)
        return str(answer.raise_for_status().json()["feedback_id"])

    async def assessments(self, trace_id: str, count: int) -> dict[str, dict[str, Any]]:
        """By name, when there are as many as that."""

        def found() -> list[dict[str, Any]] | None:
            there = self.mlflow.assessments(trace_id)
            return there if len(there) == count else None

        return {it["assessment_name"]: it for it in await eventually(found)}

    async def trace(self, trace_id: str) -> dict[str, Any]:
        """What is known of a trace when its spans are there, which assessments may come before."""

        def found() -> dict[str, Any] | None:
            there = self.mlflow.trace(trace_id)
            return there if there and "response_preview" in there else None

        return await eventually(found)


async def eventually[T](look: Callable[[], T | None], within: float = 30) -> T:
    """What `look` finds, as soon as it finds something."""
    async with asyncio.timeout(within):
        while (found := await asyncio.to_thread(look)) is None:
            await asyncio.sleep(0.2)
    return found


def values(model: FakeModelServer, mlflow: MlflowServer, experiment: str, **more: Any) -> dict[str, Any]:
    return {
        "LLAMA_STACK_URL": model.url,
        "mlflow": {"enabled": True, "url": mlflow.url, "experiment": experiment},
        "feedback": {"labels": [{"name": "brilliant", "sentiment": "positive"}]},
    } | more


@pytest.fixture
async def loop(tmp_path: Path, mlflow: MlflowServer) -> AsyncGenerator[Loop]:
    experiment = f"canopy {uuid4()}"
    ab = {"summarize": {"prompt_b": "Be brief."}, "ab_testing": {"enabled": True}}
    async with (
        FakeModelServer() as model,
        running_server(tmp_path, values(model, mlflow, experiment, **ab), env=SDK, launcher=LAUNCHER) as server,
        httpx.AsyncClient(base_url=server.url, timeout=20) as client,
    ):
        yield Loop(server, client, mlflow, experiment)


async def test_a_summary_is_a_trace_and_its_votes_are_assessments_on_it(loop: Loop) -> None:
    who = {"X-Session-Id": "session-1"}
    loop.client.headers.update(who)
    summary = await loop.summary()
    trace_id = summary["request_id"]
    up = await loop.vote(summary, "thumbs_up", user_id="ann", comment="Clear.", reasons=["too_long"])
    await loop.vote(summary, 4, user_id="ben")
    await loop.vote(summary, "brilliant", user_id="cleo")

    said = await loop.assessments(trace_id, 3)
    trace = await loop.trace(trace_id)
    vote = said["user_satisfaction"]
    assert (vote["feedback"]["value"], vote["rationale"]) == (True, "Clear.")
    assert vote["source"] == {"source_type": "HUMAN", "source_id": "ann"}
    assert vote["metadata"]["canopy.generation_id"] == summary["generation_id"]
    assert said["satisfaction_score"]["feedback"]["value"] == 4
    assert said["satisfaction_label"]["feedback"]["value"] == "brilliant"

    experiment_id = loop.mlflow.experiment_id(loop.experiment)
    assert experiment_id is not None

    def search(where: str) -> list[str]:
        return [trace["trace_id"] for trace in loop.mlflow.search(experiment_id, where)]

    assert search("feedback.user_satisfaction = 'true'") == [f"tr-{trace_id}"]
    assert search("feedback.user_satisfaction = 'false'") == []
    assert search("metadata.`mlflow.trace.session` = 'session-1'") == [f"tr-{trace_id}"]
    assert search(f"metadata.`request.id` = '{trace_id}'") == [f"tr-{trace_id}"] == [summary["mlflow_trace_id"]]
    assert search("metadata.`client.id` = 'session-1'") == [f"tr-{trace_id}"]

    assert trace["state"] == "OK"
    assert "A text about trees." in trace["request_preview"]
    assert summary["response"][:20] in trace["response_preview"]
    assert '"input_tokens"' in trace["trace_metadata"]["mlflow.trace.tokenUsage"]
    assert trace["tags"]["canopy.prompt_id"].startswith("sha256:")
    (call,) = [span for span in loop.mlflow.spans(trace_id) if span["name"] == "chat llama32"]
    attributes = {item["key"]: str(item["value"]) for item in call["attributes"]}
    assert "0.9" in attributes["gen_ai.request.temperature"]
    assert "A text about trees." in attributes["mlflow.spanInputs"]
    assert "sha256:" in attributes["canopy.prompt_id"]

    # Changed, the assessment changes; taken back, it goes.
    assert await loop.vote(summary, "thumbs_down", user_id="ann") == up
    await eventually(lambda: search("feedback.user_satisfaction = 'false'") or None)
    assert (await loop.assessments(trace_id, 3))["user_satisfaction"]["rationale"] == ""
    assert (await loop.client.delete(f"/feedback/{up}")).is_success
    assert (await loop.assessments(trace_id, 2)).keys() == {"satisfaction_score", "satisfaction_label"}


async def test_a_first_turn_is_a_conversation_of_one_message(loop: Loop) -> None:
    turn = {"role": "user", "content": "A text about trees."}
    asked = {"messages": [turn], "stream": False}
    answer = (await loop.client.post("/summarize/chat", json=asked)).raise_for_status().json()
    trace_id = answer["request_id"]
    trace = await loop.trace(trace_id)
    assert trace["request_preview"] == turn["content"]
    (request,) = [span for span in loop.mlflow.spans(trace_id) if span["name"] == "POST /summarize/chat"]
    inputs = {item["key"]: str(item["value"]) for item in request["attributes"]}["mlflow.spanInputs"]
    assert all(word in inputs for word in ("messages", "role", "user", turn["content"])), inputs


async def test_each_side_of_a_comparison_is_a_trace_that_is_found_by_what_was_said_of_it(loop: Loop) -> None:
    who = {"X-Session-Id": "session-ab"}
    answer = await loop.client.post("/summarize/ab", json={"prompt": "A text about trees."}, headers=who)
    events = [orjson.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    comparison = events[0]["comparison_id"]
    ended = {event["variant"]: event for event in events if event.get("type") == "done"}
    traces = {side: done["mlflow_trace_id"] for side, done in ended.items()}
    ballot = {"comparison_id": comparison, "preference": "a", "comment": "Shorter.", "session_id": "session-ab"}
    assert (await loop.client.post("/feedback/ab", json=ballot)).is_success
    found = await eventually(lambda: loop.mlflow.experiment_id(loop.experiment))

    def search(where: str) -> list[str]:
        return sorted(trace["trace_id"] for trace in loop.mlflow.search(found, where))

    await eventually(lambda: search("feedback.ab_preference = 'true'") or None)
    await eventually(lambda: search("feedback.ab_preference = 'false'") or None)
    known = {side: await loop.trace(trace_id.removeprefix("tr-")) for side, trace_id in traces.items()}
    assert search("feedback.ab_preference = 'true'") == [traces["a"]]
    assert search("feedback.ab_preference = 'false'") == [traces["b"]]
    both = sorted(traces.values())
    assert search("") == both  # and no third one, of the request
    assert search(f"metadata.`request.id` = '{answer.headers['x-request-id']}'") == both
    assert search("metadata.`client.id` = 'session-ab'") == both
    assert search(f"tags.`canopy.comparison_id` = '{comparison}'") == both

    for side, done in ended.items():
        trace_id = traces[side].removeprefix("tr-")
        trace = known[side]
        assert trace["tags"]["canopy.generation_id"] == done["generation_id"]
        assert '"input_tokens"' in trace["trace_metadata"]["mlflow.trace.tokenUsage"]
        (only,) = loop.mlflow.spans(trace_id)
        assert only["name"] == "chat llama32"
        (said,) = loop.mlflow.assessments(trace_id)
        assert (said["assessment_name"], said["rationale"]) == ("ab_preference", "Shorter.")
        assert said["metadata"]["canopy.generation_id"] == done["generation_id"]

    # A vote finds the response by that id as by any other, and goes to the same trace.
    vote = {"trace_id": traces["b"], "rating": "thumbs_down"}
    assert (await loop.client.post("/feedback", json=vote)).raise_for_status()
    await eventually(lambda: search("feedback.user_satisfaction = 'false'") or None)
    assert search("feedback.user_satisfaction = 'false'") == [traces["b"]]

    def verdicts() -> list[Any] | None:
        there = [it for trace in both for it in loop.mlflow.assessments(trace.removeprefix("tr-"))]
        values = [it["feedback"].get("value") for it in there if it["assessment_name"] == "ab_preference"]
        return values if values == [None, None] else None

    for preference in ("tie", "both_bad"):
        changed = ballot | {"preference": preference}
        assert (await loop.client.post("/feedback/ab", json=changed)).is_success
        await eventually(verdicts)


async def test_texts_votes_and_prompts_are_in_the_workspace_that_is_named(tmp_path: Path, mlflow: MlflowServer) -> None:
    team = f"team-{uuid4().hex[:12]}"
    with mlflow.workspace(team):
        mlflow.set_alias("summary", "champion", mlflow.add_prompt("summary", "The team's own prompt."))
    async with FakeModelServer() as model:
        wanted = values(model, mlflow, "canopy", summarize={"mlflow_prompt": "summary"})
        env = SDK | {"MLFLOW_WORKSPACE": team}  # as MLflow's own client has it
        async with (
            running_server(tmp_path, wanted, env=env, launcher=LAUNCHER) as server,
            httpx.AsyncClient(base_url=server.url, timeout=20) as client,
        ):
            loop = Loop(server, client, mlflow, "canopy")
            summary = await loop.summary()
            await loop.vote(summary, "thumbs_up")
            with mlflow.workspace(team):
                assert await loop.assessments(summary["request_id"], 1)
    assert mlflow.trace(summary["request_id"]) is None  # in the default one
    assert model.requests[-1].body["messages"][0]["content"] == "The team's own prompt."


async def test_a_workspace_that_is_none_is_named_by_whatever_asks_mlflow(tmp_path: Path, mlflow: MlflowServer) -> None:
    async with FakeModelServer() as model:
        wanted = values(model, mlflow, "canopy", summarize={"mlflow_prompt": "summary"})
        env = SDK | {"CANOPY_MLFLOW_WORKSPACE": "nobodys", "MLFLOW_WORKSPACE": "default"}
        async with (
            running_server(tmp_path, wanted, env=env, launcher=LAUNCHER) as server,
            httpx.AsyncClient(base_url=server.url, timeout=20) as client,
        ):
            loop = Loop(server, client, mlflow, "canopy")
            await loop.vote(await loop.summary(), "thumbs_up")
            (prompt,) = await server.event("prompt_registry_failed")
            (votes,) = await server.event("mlflow_away")
            assert await server.stop() == 0
            (spans,) = server.events("mlflow_spans_lost")
    told = "MLflow does not take the workspace that CANOPY_MLFLOW_WORKSPACE names: Workspace 'nobodys' not found"
    assert (prompt["error"], votes["problem"], spans["problem"]) == (told, told, told)


async def test_without_an_sdk_it_is_told_once_that_there_are_no_traces_to_vote_on(tmp_path: Path) -> None:
    wanted = {"mlflow": {"enabled": True, "url": "http://127.0.0.1:9"}}
    async with (
        FakeModelServer() as model,
        running_server(tmp_path, wanted | {"LLAMA_STACK_URL": model.url}) as server,
        httpx.AsyncClient(base_url=server.url, timeout=20) as client,
    ):
        (told,) = await server.event("mlflow_untraced")
        asked = await client.post("/summarize", json={"prompt": "A text about trees.", "stream": False})
        vote = {"request_id": asked.json()["request_id"], "rating": "thumbs_up"}
        assert (await client.post("/feedback", json=vote)).is_success
        await scrape_until(client, "canopy_outbox_depth 0.0")
    assert told["level"] == "warning"
    assert "mlflow_trace_id" not in asked.json()
    assert len(server.events("mlflow_untraced")) == 1


async def test_a_vote_is_answered_while_mlflow_hangs_and_delivered_once_when_it_goes_on(loop: Loop) -> None:
    summary = await loop.summary()
    trace_id = summary["request_id"]
    await loop.trace(trace_id)
    loop.mlflow.freeze()
    try:
        await loop.vote(summary, "thumbs_down")
        await depth(loop, 1)
        tries = await deliveries(loop)
        await loop.vote(summary, "thumbs_up")
        assert await deliveries(loop) == tries  # MLflow's answer to the first is still awaited
    finally:
        loop.mlflow.thaw()
    await eventually(lambda: True if values_of(loop, trace_id) == [True] else None)


async def test_what_is_voted_while_mlflow_is_away_arrives_once_when_it_is_back(loop: Loop) -> None:
    loop.mlflow.stop()
    try:
        summaries = [await loop.summary() for _ in range(3)]
        for summary in summaries:
            await loop.vote(summary, "thumbs_up")
        await loop.server.event("mlflow_away")
        await depth(loop, 3)
        await eventually(partial(traces_problem, loop), 60)
    finally:
        await asyncio.to_thread(loop.mlflow.start)
    for summary in summaries:
        await eventually(lambda: True if values_of(loop, summary["request_id"]) == [True] else None, 60)  # noqa: B023  # it is awaited here
    await depth(loop, 0)
    assert (await metrics(loop))["canopy_outbox_oldest_age_seconds"] == 0
    await eventually(lambda: None if traces_problem(loop) else True, 60)


def traces_problem(loop: Loop) -> str | None:
    """Why traces wait for MLflow, as Status says."""
    facts = httpx.get(f"{loop.server.url}/status", timeout=20).json()["parts"]["outbox"]["facts"]
    problem: str | None = facts["traces_problem"]
    return problem


def values_of(loop: Loop, trace_id: str) -> list[Any]:
    return [it["feedback"].get("value") for it in loop.mlflow.assessments(trace_id)]


async def metrics(loop: Loop) -> dict[str, float]:
    text = await scrape(loop.client)
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("canopy_")]
    return {name: float(value) for name, value in lines}


async def depth(loop: Loop, wanted: int) -> None:
    """Wait until the outbox holds so many, as far as the worker has seen."""
    async with asyncio.timeout(30):
        while (await metrics(loop))["canopy_outbox_depth"] != wanted:
            await asyncio.sleep(0.05)


async def deliveries(loop: Loop) -> float:
    found = await metrics(loop)
    return sum(value for name, value in found.items() if name.startswith("canopy_deliveries_total"))
