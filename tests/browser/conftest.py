"""Real Chromium in front of a real Canopy process in front of a model server that does as it is told."""

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Error, Page, Request, async_playwright, expect

from tests.support.chromium import launch_options
from tests.support.model_server import FakeModelServer
from tests.support.server import Server, running_server

SUMMARY = "A short summary of the text: it is fine. Grüße 🌱"  # what the model server says unless told otherwise
TEXT = "The council voted on Tuesday to turn the rail yard into a park."
WAIT = 30_000  # milliseconds; an event that comes ends a wait at once, so this is only for machines that are busy
WIDE = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 740}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncGenerator[Browser]:
    expect.set_options(timeout=WAIT)
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(**launch_options())
        yield chromium
        await chromium.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def model_server() -> AsyncGenerator[FakeModelServer]:
    async with FakeModelServer() as server:
        yield server


@pytest.fixture(autouse=True)
def model(model_server: FakeModelServer) -> Generator[FakeModelServer]:
    """The model server as new, for every test: it answers everything with `SUMMARY` and has seen nothing.

    All files share it, so what one told it to say would otherwise be another's answer. It forgets at the end of a test
    as well, for the fixtures of the next file's that begin before this one.
    """
    model_server.scripts.clear()
    model_server.requests.clear()
    yield model_server
    model_server.scripts.clear()


def values(model: FakeModelServer, **sections: dict[str, Any]) -> dict[str, Any]:
    """Values that reach the model server, changed section by section."""
    return {"LLAMA_STACK_URL": model.url, "summarize": {"model": "llama32", "prompt": "Summarize:"}, **sections}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server(model_server: FakeModelServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    folder = tmp_path_factory.mktemp("canopy")
    async with running_server(folder, values(model_server), env={"CANOPY_MODEL_RETRIES": "0"}) as running:
        yield running


@dataclass
class Tab:
    """A page in a browser window of its own, and what went wrong in it."""

    page: Page
    origin: str
    trouble: list[str] = field(default_factory=list)
    failures_expected: bool = False  # Chromium tells of every status from 400 on; a test of errors wants them

    async def open(self, path: str = "/") -> Page:
        await self.page.goto(self.origin + path)
        return self.page

    def saw(self, request: Request) -> None:
        if not request.url.startswith(("data:", self.origin + "/")):
            self.trouble.append(f"request to {urlsplit(request.url).netloc}")

    def heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            expected = self.failures_expected and message.text.startswith("Failed to load resource")
            if not expected:
                self.trouble.append(message.text)

    def failed(self, error: Error) -> None:
        self.trouble.append(str(error))


@asynccontextmanager
async def opened(browser: Browser, server: Server, **options: Any) -> AsyncGenerator[Tab]:
    """A tab on `server`. Afterwards: no error in the console, no policy violation, no request to anywhere else."""
    context = await browser.new_context(**{"viewport": WIDE, **options})
    context.set_default_timeout(WAIT)
    tab = Tab(await context.new_page(), server.url)
    context.on("request", tab.saw)
    context.on("console", tab.heard)
    tab.page.on("pageerror", tab.failed)
    yield tab
    await context.close()
    assert tab.trouble == []


@pytest_asyncio.fixture(loop_scope="session")
async def tab(browser: Browser, server: Server) -> AsyncGenerator[Tab]:
    async with opened(browser, server) as it:
        yield it


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def disappointing(
    model_server: FakeModelServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Server]:
    async with running_server(tmp_path_factory.mktemp("disappointing"), values(model_server)) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def fresh(disappointing: Server) -> Server:
    """The server with three texts that disappointed, none of them reviewed."""
    from tests.browser.reviewing import disappoint

    await disappoint(disappointing)
    return disappointing


async def summarize(page: Page, text: str = TEXT) -> None:
    """Type a text, press the button, and wait for the question whether the summary helped."""
    await page.get_by_label("Text to summarize").fill(text)
    await page.get_by_role("button", name="Summarize").click()
    await page.get_by_role("group", name="Was this summary helpful?").wait_for()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs a browser, which lives in one loop for all."""
    here = f"{Path(__file__).parent}/"
    for item in items:
        if str(item.path).startswith(here):  # which is a hundredth of the time that its `parents` take
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
