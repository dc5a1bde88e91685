"""Where a server can be reached."""

import asyncio
import contextlib
import socket
from pathlib import Path

import httpx
import pytest

from tests.http.conftest import ENVIRONMENT, values
from tests.support.model_server import FakeModelServer
from tests.support.server import running_server

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
async def test_every_address_of_ipv6_is_every_address_of_ipv4_too(model: FakeModelServer, tmp_path: Path) -> None:
    everywhere = ENVIRONMENT | {"CANOPY_HOST": "::", "CANOPY_OPERATIONS_PORT": "0"}
    async with running_server(tmp_path, values(model), env=everywhere) as server, httpx.AsyncClient() as client:
        assert server.operations_url
        for url, path in ((server.url, "/identity"), (server.operations_url, "/readyz")):
            assert "//[::]:" in url
            for host in ("127.0.0.1", "[::1]"):
                assert (await client.get(url.replace("[::]", host) + path)).status_code == 200
        assert server.events("access_open")


async def test_a_machine_with_few_open_files_is_told_and_served(model: FakeModelServer, tmp_path: Path) -> None:
    limited = ("sh", "-c", 'ulimit -n 600; exec "$@"', "sh")
    environment = ENVIRONMENT | {"CANOPY_MAX_CONNECTIONS": "5000"}
    async with running_server(tmp_path, values(model), env=environment, launcher=limited) as server:
        (told,) = server.events("connections_limited")
        assert (told["level"], told["wanted"], told["open_files"]) == ("warning", 5000, 600)
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(told["possible"]):
                _, writer = await asyncio.open_connection(*server.url.removeprefix("http://").split(":"))
                stack.callback(writer.close)
            async with httpx.AsyncClient(base_url=server.url) as client:
                assert (await client.get("/readyz")).status_code == 200
