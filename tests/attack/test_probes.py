"""The port for operations answers probes and scrapes alone, and others' ports have no metrics."""

import asyncio
import signal
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.http.conftest import ENVIRONMENT, values
from tests.support.model_scripts import Script
from tests.support.model_server import FakeModelServer
from tests.support.raw import connection, status_of
from tests.support.server import Server, running_server

PORT = {"CANOPY_OPERATIONS_PORT": "0"}
OTHERS = {"CANOPY_HOST": "0.0.0.0", "CANOPY_OPERATIONS_HOST": "127.0.0.1"}  # noqa: S104 - what this is about
ANSWERED = {"/healthz", "/readyz", "/metrics"}
FORGED = {
    "X-Forwarded-User": "ana",
    "X-Forwarded-Groups": "admins",
    "Authorization": "Bearer x",
    "Cookie": "canopy_token=x",
}

pytestmark = [pytest.mark.own_server, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def model() -> AsyncGenerator[FakeModelServer]:
    async with FakeModelServer() as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    """An open server that others reach, with a port for operations."""
    folder = tmp_path_factory.mktemp("operated")
    async with running_server(folder, values(model), env={**ENVIRONMENT, **PORT, **OTHERS}) as server:
        yield server


def client_of(url: str | None) -> httpx.AsyncClient:
    assert url
    return httpx.AsyncClient(base_url=url.replace("0.0.0.0", "127.0.0.1"), timeout=30, trust_env=False)  # noqa: S104 - as above


async def test_reaching_the_application_by_the_port_for_operations(server: Server) -> None:
    async with client_of(server.url) as main, client_of(server.operations_url) as operations:
        paths = [
            *(await main.get("/openapi.json")).json()["paths"],
            "/",
            "/sign-in",
            "/docs",
            "/healthz/",
            "/metrics/x",
        ]
        for path in paths:
            for verb in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"):
                for headers in ({}, FORGED):
                    answer = await operations.request(verb, path, headers=headers)
                    expected = 200 if path in ANSWERED and verb in {"GET", "HEAD"} else 404
                    assert answer.status_code == expected, (verb, path)
        refused = (await operations.get("/feedback")).json()
        assert (refused["code"], len(refused["request_id"])) == ("not_found", 32)
    assert [line for line in server.events("http_request") if line["http_route"] in ANSWERED | {""}] == []


async def test_reaching_the_application_by_an_address_in_the_request_line(server: Server) -> None:
    assert server.operations_url
    host = server.url.removeprefix("http://")
    for line in (
        f"GET {server.url}/feedback",
        "GET //feedback",
        "GET /metrics/../feedback",
        "GET /%66eedback",
        "POST /healthz",
    ):
        async with connection(server.operations_url) as raw:
            await raw.send(f"{line} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n".encode())
            assert status_of(await raw.head()) in {400, 404}, line


async def test_reading_metrics_on_a_port_that_others_reach(server: Server, model: FakeModelServer) -> None:
    async with client_of(server.url) as main:
        for verb in ("GET", "HEAD"):
            assert (await main.request(verb, "/metrics")).status_code == 404
        refused = (await main.get("/metrics")).json()
        assert refused["code"] == "metrics_elsewhere"
        assert "CANOPY_OPERATIONS_PORT" in refused["detail"]
        assert {(await main.get(path)).status_code for path in ("/healthz", "/readyz")} == {200}
        server.write_values(values(model, metrics={"public": True}))
        await server.event("config_reloaded")
        await main.post("/summarize", json={"prompt": "A text.", "stream": False})
        public = await main.get("/metrics", headers={"Accept": "application/openmetrics-text"})
        assert public.status_code == 200
        assert "trace_id" not in public.text  # by which others could vote on that summary


async def test_metrics_stay_on_loopback_and_are_off_where_others_reach_the_only_port(
    model: FakeModelServer, tmp_path: Path
) -> None:
    for host, status in (("127.0.0.1", 200), ("0.0.0.0", 404)):  # noqa: S104 - what this is about
        folder = tmp_path / host
        folder.mkdir()
        async with (
            running_server(folder, values(model), env={**ENVIRONMENT, "CANOPY_HOST": host}) as server,
            client_of(server.url) as client,
        ):
            assert server.operations_url is None
            assert (await client.get("/metrics")).status_code == status


async def test_probes_answer_while_a_stream_holds_up_the_end(model: FakeModelServer, tmp_path: Path) -> None:
    environment = {
        **ENVIRONMENT,
        **PORT,
        "CANOPY_GRACE_PERIOD_SECONDS": "60",
        "CANOPY_MODEL_FIRST_TOKEN_TIMEOUT_SECONDS": "60",
    }
    model.scripts["llama32"] = Script(rate=10, count=60)
    async with (
        running_server(tmp_path, values(model), env=environment) as server,
        client_of(server.url) as main,
        client_of(server.operations_url) as operations,
    ):
        assert (await operations.get("/readyz")).json() == {"status": "ok", "state": "ready", "store": "ok"}
        async with main.stream("POST", "/summarize", json={"prompt": "Text."}) as stream:
            server.process.send_signal(signal.SIGTERM)
            await server.event("canopy_draining")
            async with asyncio.timeout(30):
                while await connects(server.url):  # the main port closes
                    await asyncio.sleep(0.05)
            statuses = {path: (await operations.get(path)).status_code for path in ANSWERED}
            assert statuses == {"/healthz": 200, "/readyz": 503, "/metrics": 200}
            assert "[DONE]" in (await stream.aread()).decode()
        assert await server.stop() == 0
    model.scripts.clear()


async def connects(url: str) -> bool:
    try:
        async with connection(url):
            return True
    except ConnectionError:
        return False


async def test_holding_every_connection_to_the_port_for_operations(server: Server) -> None:
    """A hundred that send nothing: the oldest make room, and a probe is answered."""
    assert server.operations_url
    async with AsyncExitStack() as stack:
        for _ in range(100):
            await stack.enter_async_context(connection(server.operations_url))
        async with client_of(server.operations_url) as operations:
            assert (await operations.get("/readyz")).status_code == 200
            text = (await operations.get("/metrics")).text
    assert 'reason="evicted"' in text
