"""The workshop's steps as its page tells them, click by click, from switching feedback on to an A/B test's results.

The names on buttons, headings and files are the workshop's. Who changes one here breaks what attendees read.
"""

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from playwright.async_api import Browser, Locator, Page, expect

from tests.browser.comparing import LONG, SHORT, change, column, side_with
from tests.browser.conftest import Tab, opened
from tests.support.model_scripts import Script
from tests.support.model_server import FakeModelServer
from tests.support.server import Server, running_server

PROMPT_A = "Summarize the following text in a clear and detailed manner:"
PROMPT_B = "Provide a brief, concise summary:"
TEXTS = ("The council voted to build a park.", "The harbour was dredged in May.", "The library opens on Sundays.")


def lab_values(model: FakeModelServer, *, feedback: bool = True, comparing: bool = False) -> dict[str, Any]:
    summarize: dict[str, Any] = {"enabled": True, "model": "llama32", "prompt": PROMPT_A}
    return {
        "LLAMA_STACK_URL": model.url,
        "summarize": summarize | ({"prompt_b": PROMPT_B} if comparing else {}),
        "feedback": {"enabled": feedback},
        "ab_testing": {"enabled": comparing},
    }


@pytest.fixture
def prompts(model: FakeModelServer) -> FakeModelServer:
    model.scripts.update({PROMPT_A: Script(tokens=(LONG,)), PROMPT_B: Script(tokens=(SHORT,))})
    return model


async def test_the_steps_of_the_workshop_from_the_first_to_the_last(
    browser: Browser, prompts: FakeModelServer, tmp_path: Path
) -> None:
    async with (
        running_server(tmp_path, lab_values(prompts, feedback=False)) as server,
        opened(browser, server) as tab,
    ):
        await _feedback_is_switched_on(tab, server, prompts)
        await _summaries_are_voted_on(tab)
        await _the_dashboard_shows_them(tab)
        await _the_dataset_is_downloaded(tab)
        await _comparing_is_switched_on(server, prompts)
        winner = await _a_preference_reveals_the_prompts(tab)
        await _the_results_have_it(tab, winner)


async def _flags(server: Server) -> dict[str, bool]:
    async with httpx.AsyncClient(base_url=server.url) as http:
        found: dict[str, bool] = (await http.get("/feature-flags")).json()
    return found


async def _to_summarization(tab: Tab) -> Page:
    await tab.page.get_by_role("link", name="Summarization", exact=True).click()
    return tab.page


async def _paste_and_summarize(page: Page, text: str) -> None:
    await page.get_by_role("textbox", name="Text to summarize").fill(text)
    await page.get_by_role("button", name="Summarize", exact=True).click()


async def _feedback_is_switched_on(tab: Tab, server: Server, model: FakeModelServer) -> None:
    assert (await _flags(server))["feedback"] is False
    await change(server, lab_values(model))
    assert (await _flags(server))["feedback"] is True
    await tab.open("/")


async def _summaries_are_voted_on(tab: Tab) -> None:
    page = await _to_summarization(tab)
    for text, answer in zip(TEXTS, ("No", "Yes", "Yes"), strict=True):
        await _paste_and_summarize(page, text)
        question = page.get_by_role("group", name="Was this summary helpful?").last
        await question.get_by_role("button", name=answer, exact=True).click()
        await expect(question.get_by_text("Thanks, saved.")).to_be_visible()
        await page.get_by_role("button", name="Clear").click()


async def _the_dashboard_shows_them(tab: Tab) -> None:
    page = await tab.open("/feedback")  # appended to the address
    await tab.open("/")
    await page.get_by_role("navigation", name="Pages").get_by_role("link", name="feedback").click()
    await expect(page).to_have_url(f"{tab.origin}/feedback")
    for name, count in (("Votes", "3"), ("Positive", "2"), ("Negative", "1")):
        await expect(_figure(page, name)).to_have_text(count)
    entries = page.locator("#entries details.entry")
    for shown, left in (("Positive", 2), ("Negative", 1), ("All", 3)):
        await page.get_by_role("navigation", name="Rating").get_by_role("link", name=shown, exact=True).click()
        await expect(entries).to_have_count(left)
    one = entries.filter(has_text=TEXTS[0])
    await one.locator("summary").click()
    for whole in (TEXTS[0], LONG):
        await expect(one.locator(".text", has_text=whole)).to_be_visible()


def _figure(page: Page, name: str) -> Locator:
    """A number among those at the top, by the words above it."""
    metric = page.locator(".metric").filter(has=page.locator("dt", has_text=re.compile(f"^{name}$")))
    return metric.first.locator("dd").first


async def _the_dataset_is_downloaded(tab: Tab) -> None:
    page = await tab.open("/feedback")
    export = page.get_by_role("region", name="Export for Evaluation")
    await export.scroll_into_view_if_needed()
    async with page.expect_download() as download:
        await export.get_by_role("link", name="Download feedback-eval-dataset.yaml").click()
    file = await download.value
    assert file.suggested_filename == "feedback-eval-dataset.yaml"
    content = await asyncio.to_thread(Path(await file.path()).read_bytes)
    dataset = yaml.safe_load(content)
    assert dataset["name"] == "feedback_eval_tests"
    assert dataset["endpoint"] == "/summarize"
    assert set(dataset["scoring_params"]) == {"llm-as-judge::base", "basic::subset_of"}
    assert dataset["tests"] == [{"prompt": TEXTS[0], "expected_result": ""}]
    async with httpx.AsyncClient(base_url=tab.origin) as http:
        assert (await http.get("/feedback/export")).content == content  # by curl the same


async def _comparing_is_switched_on(server: Server, model: FakeModelServer) -> None:
    assert (await _flags(server))["ab_testing"] is False
    await change(server, lab_values(model, comparing=True))
    assert (await _flags(server))["ab_testing"] is True


async def _a_preference_reveals_the_prompts(tab: Tab) -> str:
    """Return `A` or `B`: the prompt of the response that was preferred."""
    page = await _to_summarization(tab)
    await _paste_and_summarize(page, TEXTS[0])
    for side in ("a", "b"):
        await expect(column(page, side)).to_be_visible()
    for button in ("A is better", "B is better"):
        await expect(page.get_by_role("button", name=button)).to_be_visible()
    for side in ("a", "b"):
        assert PROMPT_A not in await column(page, side).inner_text()
    brief = await side_with(page, SHORT)
    await page.get_by_role("button", name="A is better").click()
    for side, prompt in (
        ("a", "Prompt B" if brief == "a" else "Prompt A"),
        ("b", "Prompt A" if brief == "a" else "Prompt B"),
    ):
        await expect(column(page, side)).to_contain_text(prompt)
    return "B" if brief == "a" else "A"


async def _the_results_have_it(tab: Tab, winner: str) -> None:
    page = tab.page
    await page.get_by_role("navigation", name="Pages").get_by_role("link", name="feedback").click()
    results = page.get_by_role("region", name="A/B Prompt Comparison Results")
    await results.scroll_into_view_if_needed()
    other = "A" if winner == "B" else "B"
    for name, count in ((f"Prompt {winner} wins", "1"), (f"Prompt {other} wins", "0"), ("Ties", "0")):
        await expect(_figure(page, name)).to_have_text(count)
    entry = results.locator("details.entry").first
    await entry.locator("summary").click()
    for response in (LONG, SHORT):
        await expect(entry.locator(".text", has_text=response)).to_be_visible()
    for side in ("Response A", "Response B"):
        await expect(entry.get_by_role("heading", name=side)).to_be_visible()
    await expect(entry.locator("summary")).to_contain_text("Preferred Response A")
