"""A page in front of a server that compares two prompts, and what people do on it."""

from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, Request, expect

from tests.browser.conftest import TEXT, Tab, opened, values
from tests.support.model_scripts import Script
from tests.support.model_server import FakeModelServer
from tests.support.server import Server, running_server

CURRENT, CANDIDATE = "Summarize in detail:", "Be brief:"
LONG, SHORT = "A detailed summary of what the council said, and why.", "Rail yard becomes park."


def compared(model: FakeModelServer, **ab_testing: Any) -> dict[str, Any]:
    """Values that compare two prompts."""
    found = values(model, ab_testing={"enabled": True, **ab_testing})
    found["summarize"] |= {"prompt": CURRENT, "prompt_b": CANDIDATE}
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def comparing(model_server: FakeModelServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    env = {"CANOPY_MODEL_RETRIES": "0"}
    async with running_server(tmp_path_factory.mktemp("ab"), compared(model_server), env=env) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def changing(model_server: FakeModelServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    """A server whose values each test changes."""
    async with running_server(tmp_path_factory.mktemp("changing"), values(model_server)) as server:
        yield server


async def change(server: Server, to: dict[str, Any]) -> None:
    reloads = len(server.events("config_reloaded"))
    server.write_values(to)
    await server.event("config_reloaded", count=reloads + 1)


@pytest.fixture
def prompts(model: FakeModelServer) -> FakeModelServer:
    """The model server, answering each prompt its own way."""
    model.scripts.update({CURRENT: Script(tokens=(LONG,)), CANDIDATE: Script(tokens=(SHORT,))})
    return model


@pytest_asyncio.fixture(loop_scope="session")
async def pair(browser: Browser, comparing: Server, prompts: FakeModelServer) -> AsyncGenerator[Tab]:
    del prompts  # as told there, until a test tells it otherwise
    async with opened(browser, comparing) as it:
        yield it


async def start(page: Page, text: str = TEXT) -> None:
    await page.get_by_label("Text to summarize").fill(text)
    await page.get_by_role("button", name="Summarize").click()


async def compare(page: Page, text: str = TEXT) -> None:
    """Start a comparison and wait for the question."""
    await start(page, text)
    await page.get_by_role("group", name="Which response is better?").wait_for()


def column(page: Page, side: str) -> Locator:
    return page.get_by_role("article", name=f"Response {side.upper()}")


async def choose(page: Page, name: str, then: str = "Thanks, saved.") -> None:
    await page.get_by_role("button", name=name, exact=True).click()
    await expect(page.get_by_text(then)).to_be_visible()


async def side_with(page: Page, text: str) -> str:
    """The side whose response has this text."""
    return "a" if text in await column(page, "a").locator("[data-output]").inner_text() else "b"


def posts_of(page: Page) -> list[Request]:
    """What the page posts to the server from now on; grows."""
    posted: list[Request] = []

    def saw(request: Request) -> None:
        if request.method == "POST":
            posted.append(request)

    page.on("request", saw)
    return posted


async def ballots(tab: Tab, text: str) -> list[dict[str, Any]]:
    """The ballots on a text, as the API has them."""
    async with httpx.AsyncClient(base_url=tab.origin) as http:
        entries = (await http.get("/feedback/ab")).json()["entries"]
    return [entry for entry in entries if entry["input_text"] == text]


async def complaints(tab: Tab, text: str) -> list[dict[str, Any]]:
    """The feedback on a text, as the API has it."""
    async with httpx.AsyncClient(base_url=tab.origin) as http:
        found: list[dict[str, Any]] = (await http.get("/feedback", params={"q": text})).json()["feedback"]
    return found
