"""The review on the dashboard: people without a terminal say what a good summary would be."""

from collections.abc import AsyncGenerator

import httpx
import pytest
import pytest_asyncio
import yaml
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import Tab, opened, values
from tests.browser.test_access import SCREENS, check
from tests.browser.test_feedback import NASTY
from tests.support.model_server import FakeModelServer
from tests.support.server import Server, running_server

LONG = "An unbroken word " + "m" * 400 + " and a long text. " * 80


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def disappointing(
    model_server: FakeModelServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Server]:
    async with running_server(tmp_path_factory.mktemp("disappointing"), values(model_server)) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def fresh(disappointing: Server) -> Server:
    """The server with three texts that disappointed, none of them reviewed."""
    async with httpx.AsyncClient(base_url=disappointing.url) as http:
        for entry in (await http.get("/feedback", params={"limit": 200})).json()["feedback"]:
            await http.delete(f"/feedback/{entry['id']}")
        votes = [
            {"input_text": LONG, "response_text": "Far too short.", "rating": 1, "comment": "Half of it is missing."},
            {"input_text": NASTY, "response_text": NASTY, "rating": "thumbs_down", "comment": NASTY},
            {"input_text": "A third text.", "response_text": "No.", "rating": "thumbs_down", "reasons": ["too_short"]},
            {"input_text": "A fine text.", "response_text": "Fine.", "rating": "thumbs_up"},
        ]
        for vote in reversed(votes):  # the newest comes first
            assert (await http.post("/feedback", json=vote)).status_code == 200
    return disappointing


async def begun(tab: Tab) -> Page:
    page = await tab.open("/feedback/review")
    await page.get_by_role("button", name="Review what waits").click()
    await expect(page.get_by_text("Text 1 of 3", exact=True)).to_be_visible()
    return page


async def exported(server: Server) -> list[str]:
    async with httpx.AsyncClient(base_url=server.url) as http:
        tests = yaml.safe_load((await http.get("/feedback/export")).content)["tests"]
    return [test["expected_result"] for test in reversed(tests)]  # the export's oldest comes first


async def test_a_reviewer_works_by_keyboard_and_the_export_carries_what_they_wrote(
    browser: Browser, fresh: Server
) -> None:
    async with opened(browser, fresh) as tab:
        page = await begun(tab)
        field = page.get_by_label("What would a good summary say?")
        await expect(field).to_be_focused()
        await expect(page.get_by_role("region", name="Answers that disappointed")).to_contain_text("1 of 5")
        await expect(page.get_by_text("Half of it is missing.").last).to_be_visible()
        await page.keyboard.type("A good summary.")
        await page.keyboard.press("Control+Enter")
        await expect(page.get_by_text("Text 2 of 3", exact=True)).to_be_visible()
        await expect(field).to_be_focused()
        await expect(field).to_have_value("")
        await expect(page.get_by_text("1 of 3 texts reviewed")).to_be_visible()
        assert await exported(fresh) == ["A good summary.", "", ""]
        for name in ("Back", "Skip", "Save and next"):
            await page.keyboard.press("Tab")
            await expect(page.get_by_role("button", name=name, exact=True)).to_be_focused()


async def test_what_people_wrote_is_text_whatever_it_looks_like(browser: Browser, fresh: Server) -> None:
    async with opened(browser, fresh) as tab:
        page = await begun(tab)
        await page.get_by_role("button", name="Skip").click()
        await expect(page.get_by_role("region", name="Prompt to review")).to_have_text(NASTY)
        await page.get_by_label("What would a good summary say?").fill(NASTY)
        await page.get_by_role("button", name="Save and next").click()
        await expect(page.get_by_text("Text 3 of 3", exact=True)).to_be_visible()
        assert await exported(fresh) == ["", NASTY, ""]
        assert await page.title() == "Review · Canopy"


async def test_back_shows_what_was_saved_a_draft_survives_a_skip_and_the_end_says_what_is_left(
    browser: Browser, fresh: Server
) -> None:
    async with opened(browser, fresh) as tab:
        page = await begun(tab)
        field = page.get_by_label("What would a good summary say?")
        await field.fill("First.")
        await page.get_by_role("button", name="Save and next").click()
        await expect(page.get_by_text("Text 2 of 3", exact=True)).to_be_visible()
        await field.fill("A draft")
        await page.get_by_role("button", name="Skip").click()
        await expect(page.get_by_text("Text 3 of 3", exact=True)).to_be_visible()
        await page.get_by_role("button", name="Back").click()
        await expect(field).to_have_value("A draft")
        await page.get_by_role("button", name="Back").click()
        await expect(field).to_have_value("First.")
        await field.fill("First, corrected.")
        await page.get_by_role("button", name="Save and next").click()
        await field.fill("Second.")
        await page.get_by_role("button", name="Save and next").click()
        await expect(page.get_by_text("Text 3 of 3", exact=True)).to_be_visible()
        await page.get_by_role("button", name="Skip").click()
        await expect(page.get_by_text("1 text still waits.")).to_be_focused()
        assert await exported(fresh) == ["First, corrected.", "Second.", ""]
        await page.get_by_role("button", name="Go through all texts").click()
        await expect(field).to_have_value("First, corrected.")


async def test_an_empty_text_is_not_saved(browser: Browser, fresh: Server) -> None:
    async with opened(browser, fresh) as tab:
        page = await begun(tab)
        await page.get_by_label("What would a good summary say?").fill("  ")
        await page.get_by_role("button", name="Save and next").click()
        await expect(page.get_by_text("Text 1 of 3", exact=True)).to_be_visible()
        assert await exported(fresh) == ["", "", ""]


async def test_a_text_whose_vote_was_taken_back_meanwhile_says_so_and_keeps_the_draft(
    browser: Browser, fresh: Server
) -> None:
    async with opened(browser, fresh) as tab:
        tab.failures_expected = True
        page = await begun(tab)
        async with httpx.AsyncClient(base_url=fresh.url) as http:
            oldest = (await http.get("/feedback/review")).json()["cases"][0]["feedback_id"]
            await http.delete(f"/feedback/{oldest}")
        field = page.get_by_label("What would a good summary say?")
        await field.fill("Too late.")
        await page.get_by_role("button", name="Save and next").click()
        await expect(page.get_by_text("There is no vote on this text")).to_be_visible()
        await expect(field).to_have_value("Too late.")
        await page.get_by_role("button", name="Skip").click()
        await expect(page.get_by_text("Text 2 of 3", exact=True)).to_be_visible()


@pytest_asyncio.fixture(loop_scope="session", params=SCREENS)
async def screen(request: pytest.FixtureRequest, browser: Browser, fresh: Server) -> AsyncGenerator[Tab]:
    viewport, scheme = request.param
    options = {"viewport": viewport, "color_scheme": scheme, "bypass_csp": True, "reduced_motion": "reduce"}
    async with opened(browser, fresh, **options) as it:
        yield it


async def test_the_review_is_for_everybody(screen: Tab) -> None:
    page = await begun(screen)
    await check(page)
    for _ in range(3):
        await page.get_by_role("button", name="Skip").click()
    await expect(page.get_by_text("3 texts still wait.")).to_be_visible()
    await check(page)
