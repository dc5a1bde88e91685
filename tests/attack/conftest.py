"""What attacks aim at: a server of the tests' own, or with `--address` one that runs already (`make attack`).

Each test is named after what it tries, and passes when the server withstands it. One that has to know or to change more
than an address gives (the values, the process, its log) is marked `own_server` and left out against an address.
"""

import os
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import httpx
import pytest
import pytest_asyncio

from tests.http.conftest import ENVIRONMENT, summarize, values
from tests.support.model_server import FakeModelServer
from tests.support.server import Server, running_server


@dataclass(frozen=True)
class Target:
    """A server to attack."""

    url: str
    headers: dict[str, str]  # of somebody who may ask and vote
    server: Server | None  # None: it runs elsewhere

    def client(self, **headers: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, headers=self.headers | headers, timeout=240, trust_env=False)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Against an address leave out what needs a server of its own, and say so."""
    if not config.getoption("--address", default=None):
        return
    left_out = [item for item in items if item.get_closest_marker("own_server")]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def model() -> AsyncGenerator[FakeModelServer]:
    async with FakeModelServer() as server:
        yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def target(
    request: pytest.FixtureRequest, model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Target]:
    """An open server with everything on; or the one at the address, entered with the token in ATTACK_TOKEN."""
    if address := request.config.getoption("--address", default=None):
        token = os.environ.get("ATTACK_TOKEN")
        yield Target(address.rstrip("/"), {"Authorization": f"Bearer {token}"} if token else {}, None)
        return
    async with running_server(tmp_path_factory.mktemp("attacked"), values(model), env=ENVIRONMENT) as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=20) as http:
            await summarize(http)  # the first call loads the client library
        yield Target(server.url, {}, server)
