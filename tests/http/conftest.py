"""One real Canopy process for the whole folder, in front of a model server that misbehaves on request."""

import asyncio
import json
import uuid
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.support.model_server import FakeModelServer
from tests.support.server import Server, running_server

# Short enough for tests, and each of its own length, so that a sentence tells which one ended a wait.
ENVIRONMENT = {
    "CANOPY_MODEL_FIRST_TOKEN_TIMEOUT_SECONDS": "1",
    "CANOPY_MODEL_TOKEN_TIMEOUT_SECONDS": "0.7",
    "CANOPY_MODEL_RETRIES": "0",
    "CANOPY_KEEPALIVE_INTERVAL_SECONDS": "0.6",
    "CANOPY_CONFIG_POLL_INTERVAL_SECONDS": "0.05",
    "CANOPY_BODY_TIMEOUT_SECONDS": "1",
}


def values(model: FakeModelServer, **changes: Any) -> dict[str, Any]:
    """Values with everything on; a change is merged into its section."""
    base: dict[str, Any] = {
        "LLAMA_STACK_URL": model.url,
        "summarize": {"model": "llama32", "prompt": "Summarize:", "temperature": 0.5, "max_tokens": 200},
        "feedback": {"labels": [{"name": "brilliant", "sentiment": "positive"}]},
    }
    for section, change in changes.items():
        base[section] = {**base.get(section, {}), **change} if isinstance(change, dict) else change
    return base


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def model() -> AsyncGenerator[FakeModelServer]:
    async with FakeModelServer() as server:
        yield server


@pytest.fixture(autouse=True)
def _every_test_begins_and_ends_with_a_model_that_behaves(model: FakeModelServer) -> Generator[None]:
    """Another test's misbehaviour would make this one's summaries wait, in whatever order tests come."""
    model.scripts.clear()
    yield
    model.scripts.clear()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server(model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    folder: Path = tmp_path_factory.mktemp("canopy")
    model.scripts.clear()
    async with running_server(folder, values(model), env=ENVIRONMENT) as running:
        # The first call loads the client library, which under load takes longer than these tests' keep-alive.
        async with httpx.AsyncClient(base_url=running.url, timeout=20) as http:
            await summarize(http)
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def client(server: Server, model: FakeModelServer) -> AsyncGenerator[httpx.AsyncClient]:
    model.scripts.clear()
    async with httpx.AsyncClient(base_url=server.url, timeout=20) as http:
        yield http


def events(body: str) -> list[Any]:
    """The events of a stream as a client reads them: JSON, or `[DONE]`."""
    blocks = [block for block in body.split("\n\n") if block]
    assert body.endswith("\n\n")
    assert all(block.startswith(("data: ", ":")) and "\n" not in block for block in blocks)
    found = [block.removeprefix("data: ") for block in blocks if block.startswith("data: ")]
    return [event if event == "[DONE]" else json.loads(event) for event in found]


async def summarize(client: httpx.AsyncClient, text: str = "A long text.", **extra: Any) -> dict[str, Any]:
    """One summary as a JSON object."""
    response = await client.post("/summarize", json={"prompt": text, "stream": False, **extra})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def drain(model: FakeModelServer) -> None:
    """Forget the requests of earlier tests, so that `next_request` waits for a new one."""
    while True:
        try:
            await asyncio.wait_for(model.next_request(), 0.01)
        except TimeoutError:
            return


def lab_vote(**changes: Any) -> dict[str, Any]:
    """The lab's form of a vote, on texts that no other test uses."""
    return {"input_text": f"text {uuid.uuid4()}", "response_text": "a summary", "rating": "thumbs_down", **changes}


async def vote(client: httpx.AsyncClient, body: dict[str, Any], **headers: str) -> str:
    response = await client.post("/feedback", json=body, headers=headers)
    assert response.status_code == 200, response.text
    assert response.json().keys() == {"status", "feedback_id"}
    feedback_id: str = response.json()["feedback_id"]
    return feedback_id


async def entries(client: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await client.get("/feedback", params=query)).json()["feedback"]
    return found


@pytest_asyncio.fixture(loop_scope="session")
async def empty(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """The client, with every vote of earlier tests taken back."""
    while found := await entries(client, limit=200):
        await asyncio.gather(*(client.delete(f"/feedback/{entry['id']}") for entry in found))
    return client
