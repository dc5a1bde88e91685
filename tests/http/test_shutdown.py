"""SIGTERM with work under way."""

import asyncio
import signal

import httpx
import pytest

from tests.http.conftest import ENVIRONMENT, events, values
from tests.support.model_scripts import Script
from tests.support.model_server import FakeModelServer
from tests.support.server import running_server

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def until_unready(client: httpx.AsyncClient) -> httpx.Response:
    async with asyncio.timeout(30):
        while (response := await client.get("/readyz")).status_code == 200:
            await asyncio.sleep(0.01)
    return response


async def test_open_streams_finish_votes_are_kept_and_the_exit_status_is_0(
    model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("sigterm")
    model.scripts["llama32"] = Script(rate=20, count=40)
    # A busy machine must get round to what is asked while it drains, and to each token.
    patience = {"CANOPY_MODEL_FIRST_TOKEN_TIMEOUT_SECONDS": "20", "CANOPY_MODEL_TOKEN_TIMEOUT_SECONDS": "20"}
    env = {**ENVIRONMENT, **patience, "CANOPY_DRAIN_DELAY_SECONDS": "4"}
    vote = {"input_text": "a text", "response_text": "a summary", "rating": "thumbs_down"}
    async with running_server(folder, values(model), env=env) as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
            streams = [asyncio.create_task(client.post("/summarize", json={"prompt": f"Text {n}."})) for n in range(5)]
            await server_has(client, "canopy_generations_in_flight 5.0")
            server.process.send_signal(signal.SIGTERM)

            draining = await until_unready(client)
            assert draining.json()["state"] == "draining"
            assert (await client.get("/healthz")).status_code == 200
            kept = [(await client.post("/feedback", json=vote)).json()["feedback_id"] for _ in range(3)]

            for stream in streams:
                *deltas, done, end = events((await stream).text)
                assert len(deltas) == 40
                assert (done["type"], end) == ("done", "[DONE]")
        assert await server.stop() == 0
        assert [line["event"] for line in server.log if line["event"].startswith("canopy_")] == [
            "canopy_started",
            "canopy_draining",
            "canopy_stopped",
        ]
    async with (
        running_server(folder, values(model), env=ENVIRONMENT) as again,
        httpx.AsyncClient(base_url=again.url) as client,
    ):
        stored = (await client.get("/feedback")).json()
        assert {entry["id"] for entry in stored["feedback"]} == set(kept)


async def test_a_stream_longer_than_the_grace_period_ends_with_an_error_event(
    model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    model.scripts["llama32"] = Script(rate=20, count=10_000)
    env = {**ENVIRONMENT, "CANOPY_GRACE_PERIOD_SECONDS": "1"}
    async with running_server(tmp_path_factory.mktemp("grace"), values(model), env=env) as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
            stream = asyncio.create_task(client.post("/summarize", json={"prompt": "Text."}))
            await server_has(client, "canopy_generations_in_flight 1.0")
            assert await server.stop() == 0
            *_, error, end = events((await stream).text)
            assert (error["type"], error["code"], end) == ("error", "shutting_down", "[DONE]")
        finished = server.events("generation_finished")[-1]
        assert (finished["status"], finished["code"]) == ("failed", "shutting_down")
        assert [line for line in server.log if line.get("exception")] == []


async def test_a_second_signal_ends_the_wait(model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory) -> None:
    model.scripts["llama32"] = Script(rate=20, count=10_000)
    async with (
        running_server(tmp_path_factory.mktemp("twice"), values(model), env=ENVIRONMENT) as server,
        httpx.AsyncClient(base_url=server.url, timeout=20) as client,
    ):
        stream = asyncio.create_task(client.post("/summarize", json={"prompt": "Text."}))
        await server_has(client, "canopy_generations_in_flight 1.0")
        server.process.send_signal(signal.SIGINT)
        await server.event("canopy_draining")
        assert await server.stop(signal.SIGINT, within=10) == 0
        stream.cancel()


async def server_has(client: httpx.AsyncClient, line: str) -> None:
    async with asyncio.timeout(30):
        while line not in (await client.get("/metrics")).text:
            await asyncio.sleep(0.02)
