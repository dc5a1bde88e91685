"""A model server that answers with what a log search must not find."""

from collections.abc import AsyncGenerator

import pytest

from tests.support.model_scripts import Script
from tests.support.model_server import FakeModelServer


@pytest.fixture
async def model() -> AsyncGenerator[FakeModelServer]:
    async with FakeModelServer() as server:
        server.scripts["llama32"] = Script(tokens=('feedback_submitted "rating":"thumbs_down"', "\n", " 🌱\u2028"))
        yield server
