"""The workshop's UIs of both eras, as real Streamlit pages in a real browser in front of a real Canopy."""

import asyncio
import os
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import SUMMARY, TEXT, WAIT, values
from tests.support.model_server import FakeModelServer
from tests.support.server import Server, running_server
from tests.support.tools import installed

PAGES = Path(__file__).with_name("streamlit")
A, B = "Summarize in detail:", "Be brief:"


@pytest_asyncio.fixture(loop_scope="session")
async def comparing(model_server: FakeModelServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    """A server for each test: they count what is there."""
    config = values(model_server, summarize={"prompt": A, "prompt_b": B}, ab_testing={"enabled": True})
    async with running_server(tmp_path_factory.mktemp("workshop"), config) as running:
        yield running


@asynccontextmanager
async def streamlit(page: str, backend: Server, folder: Path) -> AsyncGenerator[str]:
    """One of the pages, served by the real Streamlit; where it listens."""
    python = installed("tools") / "bin/python"
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    options = {"server.port": port, "server.address": "127.0.0.1", "server.headless": "true"}
    options |= {
        "browser.gatherUsageStats": "false",
        "server.fileWatcherType": "none",
        "global.developmentMode": "false",
    }
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "BACKEND_ENDPOINT": backend.url}
    process = await asyncio.create_subprocess_exec(
        *(str(python), "-m", "streamlit", "run", str(PAGES / page)),
        *(f"--{name}={value}" for name, value in options.items()),
        cwd=folder,
        env=environment | {"NO_PROXY": "127.0.0.1"},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(WAIT / 1000), httpx.AsyncClient() as http:
            while not await _healthy(http, url):
                assert process.returncode is None, "Streamlit ended"
                await asyncio.sleep(0.1)
        yield url
    finally:
        process.kill()
        await process.wait()


async def _healthy(http: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await http.get(f"{url}/_stcore/health")).is_success
    except httpx.TransportError:
        return False


@asynccontextmanager
async def at(browser: Browser, url: str) -> AsyncGenerator[Page]:
    context = await browser.new_context()
    context.set_default_timeout(WAIT)
    page = await context.new_page()
    await page.goto(url)
    yield page
    await context.close()


async def settled(page: Page) -> None:
    """Wait until the script has run: what is clicked while elements still arrive may move away or be replaced."""
    app = page.get_by_test_id("stApp")
    await expect(app).to_have_attribute("data-test-connection-state", "CONNECTED")
    await expect(app).to_have_attribute("data-test-script-state", "notRunning")


async def metric(page: Page, name: str) -> str:
    found = page.get_by_test_id("stMetric").filter(has=page.get_by_text(name, exact=True))
    return (await found.get_by_test_id("stMetricValue").inner_text()).strip()


async def test_the_labs_pages_summarize_compare_count_and_filter(
    browser: Browser, comparing: Server, tmp_path: Path
) -> None:
    async with httpx.AsyncClient(base_url=comparing.url, timeout=20) as http, asyncio.TaskGroup() as votes:
        for number in range(143):  # so many as the lab's dashboard shows at once
            rating = "thumbs_down" if number < 48 else "thumbs_up"
            body = {"input_text": f"text {number}", "response_text": "a summary", "rating": rating}
            votes.create_task(http.post("/feedback", json=body))
    async with streamlit("lab.py", comparing, tmp_path) as url, at(browser, url) as page:
        await settled(page)
        await page.get_by_label("Text").fill(TEXT)
        await page.get_by_role("button", name="Summarize").click()
        await page.get_by_role("button", name="B is better").wait_for()
        await settled(page)
        await page.get_by_role("button", name="B is better").click()
        await expect(page.get_by_text("Response A was prompt")).to_be_visible()
        await page.goto(f"{url}/feedback")
        await expect(page.get_by_text("143 shown")).to_be_visible()
        await settled(page)
        assert [await metric(page, name) for name in ("Total", "Positive", "Negative")] == ["143", "95", "48"]
        await page.get_by_text("Negative", exact=True).last.click()
        await expect(page.get_by_text("48 shown")).to_be_visible()
        wins = [await metric(page, f"prompt_{variant}_wins") for variant in "ab"]
        assert sorted(wins) == ["0", "1"]
        await expect(page.get_by_role("link", name="feedback-eval-dataset.yaml")).to_be_visible()


async def test_todays_workshops_page_chats_rates_and_compares(
    browser: Browser, comparing: Server, tmp_path: Path
) -> None:
    async with streamlit("workshop.py", comparing, tmp_path) as url, at(browser, url) as page:
        for turn, (text, thumb) in enumerate(((TEXT, "👍"), ("Shorter?", "👎"))):
            await settled(page)
            box = page.get_by_role("textbox", name="Message")
            await box.fill(text)
            await box.press("Enter")
            await expect(page.get_by_text(SUMMARY)).to_have_count(turn + 1)
            await page.get_by_role("button", name=thumb).last.wait_for()
            await settled(page)
            await page.get_by_role("button", name=thumb).last.click()
            await expect(page.get_by_text("Thank you!")).to_have_count(turn + 1)
        await settled(page)
        await page.get_by_text("Compare two prompts").click()
        await page.get_by_label("Text").wait_for()
        await settled(page)
        await page.get_by_label("Text").fill(TEXT)
        await page.get_by_role("button", name="Compare", exact=True).click()
        await page.get_by_role("button", name="A is better").wait_for()
        await settled(page)
        await page.get_by_role("button", name="A is better").click()
        await expect(page.get_by_text("Your preference is recorded.")).to_be_visible()
    async with httpx.AsyncClient(base_url=comparing.url) as http:
        newest = (await http.get("/feedback", params={"limit": 2})).json()["feedback"]
        ballot = (await http.get("/feedback/ab")).json()["entries"][0]
    told = [(entry["feature"], entry["rating"], bool(entry["generation_id"])) for entry in newest]
    assert told == [("summarize_chat", "thumbs_down", True), ("summarize", "thumbs_up", True)]
    assert (ballot["preference"], ballot["input_text"]) == ("a", TEXT)
