"""Judges on the dashboard: their labels, how they agree with people, and the queue of the worst."""

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from canopy.config.values import Values
from canopy.judges.definitions import configured_judges
from canopy.store.opening import open_store
from tests.browser.conftest import Tab, opened, values
from tests.browser.test_access import EXTREMES, check
from tests.support.judging import opinions
from tests.support.model_server import FakeModelServer
from tests.support.server import Server, running_server


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def judged(model_server: FakeModelServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    """A server whose responses were judged, most of them also by people."""
    folder = tmp_path_factory.mktemp("judged")
    store = open_store(f"sqlite:///{folder / 'canopy.db'}")
    await store.start()
    await opinions(store, configured_judges(Values.model_validate(values(model_server)), lambda name: name))
    await store.close()
    async with running_server(folder, values(model_server)) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def board(browser: Browser, judged: Server) -> AsyncGenerator[Tab]:
    async with opened(browser, judged) as it:
        yield it


async def test_a_judge_stands_beside_people_with_how_far_they_agree(board: Tab) -> None:
    page = await board.open("/feedback/judges")
    section = page.get_by_role("region", name="Judges", exact=True)
    accuracy = section.get_by_role("region", name="Accuracy", exact=True)
    await expect(accuracy).to_contain_text("Substantial agreement, 0.75, 95 % from 0.50 to 0.92, on 40 votes.")
    rows = accuracy.get_by_role("row")
    assert [await rows.nth(number).locator("th, td").all_inner_texts() for number in range(1, 4)] == [
        ["Accurate", "17", "3", "0", "14"],
        ["Minor issues", "6", "0", "0", "6"],
        ["Hallucination detected", "18", "15", "0", "2"],
    ]
    quality = section.get_by_role("region", name="Quality", exact=True)
    await expect(quality).to_contain_text("Nobody has voted on what it labelled")


async def test_a_response_shows_what_judges_said_beside_the_vote(board: Tab) -> None:
    page = await board.open("/feedback?q=hallucination_detected%2C+good")
    entry = page.locator("details.entry").first
    await expect(entry.locator("summary")).to_contain_text("Accuracy: Hallucination detected")
    await entry.locator("summary").click()
    await expect(entry).to_contain_text("Because of hallucination_detected.")


async def test_a_label_leads_to_the_responses_that_have_it_also_those_without_a_vote(board: Tab) -> None:
    page = await board.open("/feedback/judges")
    await page.get_by_role("link", name="Hallucination detected").click()
    await expect(page.get_by_role("heading", name="Entries 18 matches")).to_be_visible()
    entry = page.locator("details.entry", has_text="Nobody voted on this.")
    await expect(entry.locator("summary")).to_contain_text("Quality: Good")
    await entry.locator("summary").click()
    for text in ("The text has no mayor.", "It reads well.", "Nobody has voted on this response."):
        await expect(entry).to_contain_text(text)


async def test_votes_can_be_filtered_by_what_a_judge_said(board: Tab) -> None:
    page = await board.open("/feedback/entries")
    await page.get_by_text("More filters").click()
    await page.get_by_label("Labelled by a judge").select_option("Hallucination detected")
    await page.get_by_role("button", name="Apply").click()
    await expect(page.get_by_role("heading", name="Entries 17 matches")).to_be_visible()
    await page.get_by_role("link", name="Positive").click()
    await expect(page.get_by_role("heading", name="Entries 2 matches")).to_be_visible()
    await expect(page.get_by_label("Labelled by a judge")).to_have_value("hallucination_detected")


async def test_the_worst_come_first_and_page_by_page(board: Tab) -> None:
    page = await board.open("/feedback")
    await page.get_by_role("link", name="Worst first").click()
    texts = page.locator(".review-list .review-excerpt")
    await expect(page.get_by_role("heading", name="1 of 22")).to_be_visible()
    await page.get_by_role("button", name="More", exact=True).click()
    await expect(texts).to_have_count(22)
    found = await texts.all_inner_texts()
    assert found[0] == "hallucination_detected, bad for a person, 14"
    assert found[15:] == [
        "No judge has seen this.",
        *(f"accurate, bad for a person, {number}" for number in (2, 1, 0)),
        "Nobody voted on this.",
        "hallucination_detected, good for a person, 1",
        "hallucination_detected, good for a person, 0",
    ]
    answers = page.get_by_role("region", name="Answers that disappointed")
    await expect(answers.get_by_text("Accuracy: Hallucination detected")).to_be_visible()
    await expect(answers.get_by_text("Not helpful")).to_be_visible()


async def test_a_reviewer_says_that_a_judge_is_wrong_and_takes_it_back(board: Tab) -> None:
    page = await board.open("/feedback/entries?source=judge&rating=negative&q=Nobody voted")
    await page.locator("details.entry summary").first.click()
    await page.get_by_role("link", name="Review this text").click()
    await expect(page.get_by_role("region", name="Text to review")).to_have_text("Nobody voted on this.")
    answers = page.get_by_role("region", name="Answers that disappointed")
    praise = answers.locator("li", has_text="Quality: Good").locator(".face")
    await expect(praise).to_have_class("face positive")  # praise looks like it
    wrong = answers.locator("li", has_text="Accuracy: Hallucination detected")
    await wrong.get_by_role("button", name="The judge is wrong").click()
    await expect(page.get_by_role("heading", name="21 of 22")).to_be_visible()  # nobody else finds it bad
    await page.get_by_role("button", name="Back", exact=True).click()
    await expect(wrong.get_by_role("button", name="A reviewer says: the judge is wrong")).to_be_disabled()
    await expect(page.get_by_text("The answer is fine", exact=True).first).to_be_visible()
    await page.get_by_role("button", name="Undo").first.click()
    await expect(wrong.get_by_role("button", name="The judge is wrong", exact=True)).to_be_enabled()
    await expect(page.get_by_role("link", name="Waiting 22")).to_be_visible()


@pytest.mark.parametrize("screen", EXTREMES, ids=str)
@pytest.mark.parametrize("path", ["/feedback/entries?source=any"])
async def test_what_judges_say_is_for_everybody(
    browser: Browser, judged: Server, path: str, screen: tuple[object, str]
) -> None:
    viewport, scheme = screen
    options = {"viewport": viewport, "color_scheme": scheme, "bypass_csp": True, "reduced_motion": "reduce"}
    async with opened(browser, judged, **options) as tab:
        page = await tab.open(path)
        await page.locator("details.entry summary").first.click()
        await check(page)
