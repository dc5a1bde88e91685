"""A server that compares two prompts, and what a client does with it."""

import uuid
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.http.conftest import ENVIRONMENT, events, values
from tests.support.model_server import FakeModelServer
from tests.support.server import Server, running_server

A, B = "Summarize in detail:", "Be brief:"


def ab_values(model: FakeModelServer, **changes: Any) -> dict[str, Any]:
    sections: dict[str, Any] = {"summarize": {"prompt": A, "prompt_b": B}, "ab_testing": {"enabled": True}}
    for section, change in changes.items():
        sections[section] = {**sections.get(section, {}), **change}
    return values(model, **sections)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def comparing(model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    model.scripts.clear()
    async with running_server(tmp_path_factory.mktemp("ab"), ab_values(model), env=ENVIRONMENT) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def client(comparing: Server, model: FakeModelServer) -> AsyncGenerator[httpx.AsyncClient]:
    model.scripts.clear()
    async with httpx.AsyncClient(base_url=comparing.url, timeout=20) as http:
        yield http


async def compare(client: httpx.AsyncClient, text: str = "A long text.", **extra: Any) -> list[Any]:
    response = await client.post("/summarize/ab", json={"prompt": text, **extra})
    assert response.status_code == 200, response.text
    return events(response.text)


async def compared(client: httpx.AsyncClient, **extra: Any) -> str:
    """The id of a new comparison."""
    comparison_id: str = (await compare(client, **extra))[0]["comparison_id"]
    return comparison_id


async def prefer(client: httpx.AsyncClient, comparison_id: str, preference: str, **extra: Any) -> dict[str, Any]:
    body = {"comparison_id": comparison_id, "preference": preference, **extra}
    response = await client.post("/feedback/ab", json=body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def session() -> dict[str, str]:
    return {"session_id": str(uuid.uuid4())}


def side_of(found: list[Any], side: str) -> list[Any]:
    return [event for event in found if isinstance(event, dict) and event.get("variant") == side]
