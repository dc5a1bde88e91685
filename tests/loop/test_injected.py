"""What an OpenTelemetry that the operator injects makes of a Canopy: Canopy's own spans, and no library's."""

import asyncio
from collections import Counter
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from oteltap import OtelTapHttpProtobufReceiver, OtelTapHttpProtobufReceiverSettings

from tests.loop.test_traces import collect, free_port
from tests.support import image, injected
from tests.support.model_server import FakeModelServer
from tests.support.postgres import PostgresServer
from tests.support.server import running_server

CONFIG_POLL = {"CANOPY_CONFIG_POLL_INTERVAL_SECONDS": "0.05"}
DISABLED = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"


async def spans_of(folder: Path, env: dict[str, str]) -> list[Span]:
    """What a summary, a vote, a page and the work behind them send, until the process ends."""
    port = free_port()
    spans: list[Span] = []
    settings = OtelTapHttpProtobufReceiverSettings(http_port=port)
    async with OtelTapHttpProtobufReceiver(settings) as receiver, FakeModelServer() as model:
        collecting = asyncio.create_task(collect(receiver, spans))
        environment = injected.environment(f"http://127.0.0.1:{port}") | CONFIG_POLL | env
        async with running_server(folder, {"LLAMA_STACK_URL": model.url}, env=environment) as server:
            async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
                asked = await client.post("/summarize", json={"prompt": "A text."})
                vote = {"request_id": asked.headers["x-request-id"], "rating": "thumbs_up"}
                assert (await client.post("/feedback", json=vote)).status_code == 200
                assert (await client.get("/feedback", headers={"Accept": "text/html"})).status_code == 200
            server.write_values({"LLAMA_STACK_URL": model.url, "feedback": {"reasons": []}})
            await server.event("config_reloaded")
            assert await server.stop() == 0, server.errors
        await asyncio.sleep(0)
        collecting.cancel()
    return spans


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
async def test_an_injected_sdk_sends_canopys_own_spans_and_no_others(
    tmp_path: Path, engine: str, request: pytest.FixtureRequest
) -> None:
    env = {}
    if engine == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres")
        env["CANOPY_STORE_URL"] = server.create_database()
    spans = await spans_of(tmp_path, env)
    assert Counter(span.name for span in spans) == {
        "POST /summarize": 1,
        "chat llama32": 1,
        "POST /feedback": 1,
        "GET /feedback": 1,
    }


def test_what_the_image_disables_is_all_that_the_operator_has_for_libraries_that_canopy_stands_on() -> None:
    disabled = set(image.pairs("base", "ENV")[DISABLED].split(","))
    there = injected.instrumentations()
    assert {name for name, fits in there.items() if fits} <= disabled
    # A misspelled name disables nothing. `asgi` is what former images have it under.
    assert disabled - there.keys() == {"asgi"}
