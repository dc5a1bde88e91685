"""Where a server can be reached."""

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
