"""The page of a feature that the values add."""

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.browser.conftest import PHONE, TEXT, opened, values
from tests.support.model_scripts import Script
from tests.support.model_server import FakeModelServer
from tests.support.server import Server, running_server

FEATURES = {"translate": {"title": "Translation", "prompt": "Translate:"}, "idle": {"prompt": "x", "enabled": False}}
ANSWER = "The council makes a park of the rail yard."


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def several(model_server: FakeModelServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    own = values(model_server, features=FEATURES)
    async with running_server(tmp_path_factory.mktemp("features"), own) as running:
        yield running


async def test_a_feature_is_reached_by_the_navigation_answers_and_takes_votes(
    browser: Browser, several: Server, model: FakeModelServer
) -> None:
    model.scripts["Translate:"] = Script(tokens=(ANSWER,))
    async with opened(browser, several) as tab:
        page = await tab.open()
        pages = page.get_by_role("navigation", name="Pages").get_by_role("link")
        await expect(pages).to_have_text(["Summarization", "Translation", "Feedback"])
        await page.get_by_label("Text to summarize").fill("Of the summary's page alone.")
        await pages.nth(1).click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Translation")
        await expect(pages.nth(1)).to_have_attribute("aria-current", "page")
        field = page.get_by_label("Text", exact=True)
        await expect(field).to_have_value("")
        await field.fill(TEXT)
        await page.get_by_role("button", name="Send").click()
        vote = page.get_by_role("group", name="Was this answer helpful?")
        await vote.get_by_role("button", name="No").click()
        await expect(page.get_by_role("article", name="Answer")).to_contain_text(ANSWER)
        question = page.get_by_label("Ask a follow-up question")
        await question.fill("Which yard?")
        await question.press("Enter")
        await expect(vote).to_have_count(2)
        assert model.requests[-1].body["messages"][0]["content"] == "Translate:"

        await pages.nth(2).click()
        await page.get_by_text("More filters").click()
        await page.get_by_label("Feature").select_option("Translation")
        await page.get_by_role("button", name="Apply").click()
        await expect(page.locator(".entry")).to_have_count(1)
        await page.get_by_text("What to do with it").click()
        await expect(page.get_by_text("waits for what a good answer would say")).to_be_visible()
        await page.locator(".export").get_by_role("link", name="Review").click()
        await page.get_by_label("What should it have said?").fill("The council plans a park.")
        await page.get_by_role("button", name="Save and next").click()
        await expect(
            page.get_by_text("None of the texts that match waits for a review; 1 waits in all.")
        ).to_be_visible()
        await page.go_back()
        download = page.get_by_role("link", name="Download feedback-eval-dataset-translate.yaml")
        await expect(download).to_have_attribute("href", "/feedback/export?feature=translate")


async def test_on_a_phone_nothing_overflows(browser: Browser, several: Server) -> None:
    async with opened(browser, several, viewport=PHONE) as tab:
        page = await tab.open("/translate")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_a_feature_that_is_off_says_what_switches_it_on(browser: Browser, several: Server) -> None:
    async with opened(browser, several) as tab:
        page = await tab.open("/idle")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Idle is switched off")
        await expect(page.get_by_label("Values to set")).to_have_text("features:\n  idle:\n    enabled: true")
