"""Everybody can use the pages: by keyboard, with a screen reader, on a phone, in the dark, and with features off."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]  # the library has no types
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import PHONE, TEXT, WIDE, Tab, opened, summarize, values
from tests.support.model_scripts import Script
from tests.support.model_server import FakeModelServer
from tests.support.server import Server, running_server

SCREENS = [(PHONE, "light"), (PHONE, "dark"), (WIDE, "light"), (WIDE, "dark")]
# For what opens on a page: as they come, all pages are looked at on every screen (test_every_page).
EXTREMES = [(PHONE, "dark"), (WIDE, "light")]


@pytest_asyncio.fixture(loop_scope="session", params=SCREENS)
async def screen(request: pytest.FixtureRequest, browser: Browser, server: Server) -> AsyncGenerator[Tab]:
    viewport, scheme = request.param
    # The policy would stop axe, which is put into the page as a script; half-faded colours are nobody's.
    options = {"viewport": viewport, "color_scheme": scheme, "bypass_csp": True, "reduced_motion": "reduce"}
    async with opened(browser, server, **options) as it:
        yield it


async def check(page: Page) -> None:
    """No finding of axe (contrast, names, roles, headings …), no scrolling to the side, nothing too small to touch."""
    results = await Axe().run(page)
    findings = [(it["id"], node["html"][:200]) for it in results.response["violations"] for node in it["nodes"]]
    assert findings == []
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    small = await page.evaluate(
        """() => [...document.querySelectorAll("button, select, textarea, input, summary, nav a, a.button")]
          .filter((it) => it.checkVisibility({ contentVisibilityAuto: true }) && it.getBoundingClientRect().height < 44)
          .map((it) => it.outerHTML.slice(0, 120))"""
    )
    assert small == []


async def test_the_summarization_page_is_for_everybody(screen: Tab) -> None:
    page = await screen.open()
    await check(page)
    await summarize(page, TEXT + " unbroken" + "m" * 400)
    await page.get_by_role("button", name="No", exact=True).click()
    await page.get_by_label("Too long").check()
    await expect(page.get_by_text("Thanks, saved.")).to_be_visible()
    await check(page)


async def test_the_whole_way_by_keyboard(tab: Tab) -> None:
    page = await tab.open()
    press = page.keyboard.press
    await press("Tab")
    await expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    await press("Enter")
    await press("Tab")
    await expect(page.get_by_label("Text to summarize")).to_be_focused()
    await page.keyboard.type(TEXT)
    await press("Control+Enter")
    await expect(page.get_by_role("article", name="Summary")).to_be_focused()
    await expect(page.get_by_role("group", name="Was this summary helpful?")).to_be_visible()
    for _ in range(4):  # Copy, Its own page, Yes, No
        await press("Tab")
    await expect(page.get_by_role("button", name="No", exact=True)).to_be_focused()
    await press("Space")
    await expect(page.get_by_text("Thanks, saved.")).to_be_visible()
    await press("Tab")  # Take it back
    await press("Tab")
    await expect(page.get_by_label("Inaccurate")).to_be_focused()
    await press("Space")
    await page.get_by_label("Comment").focus()
    await page.keyboard.type("By keyboard.")
    await press("Tab")
    await press("Enter")
    await expect(page.get_by_text("Details saved.")).to_be_visible()
    await expect(page.get_by_role("button", name="Edit details")).to_be_focused()


async def test_escape_stops_a_summary(tab: Tab, model: FakeModelServer) -> None:
    page = await tab.open("/")
    model.scripts["llama32"] = Script(tokens=("on and ",), count=10_000, rate=50)
    await page.get_by_label("Text to summarize").fill(TEXT)
    await page.get_by_role("button", name="Summarize").click()
    await expect(page.locator("[data-output]")).to_contain_text("on")
    await page.keyboard.press("Escape")
    await expect(page.get_by_text("You stopped it here.")).to_be_visible()


@pytest.mark.parametrize(("flag", "path"), [("summarize", "/"), ("feedback", "/feedback")])
async def test_a_feature_that_is_off_says_how_to_switch_it_on(
    browser: Browser, model: FakeModelServer, tmp_path: Path, flag: str, path: str
) -> None:
    off: dict[str, Any] = values(model) | {flag: {"enabled": False}}
    async with running_server(tmp_path, off) as server, opened(browser, server, bypass_csp=True) as tab:
        page = await tab.open(path)
        await expect(page.get_by_role("heading", name="is switched off")).to_be_visible()
        await expect(page.get_by_label("Values to set")).to_have_text(f"{flag}:\n  enabled: true")
        await check(page)
        if flag == "feedback":
            await tab.open("/")
            await page.get_by_label("Text to summarize").fill(TEXT)
            await page.get_by_role("button", name="Summarize").click()
            await expect(page.get_by_text("first word after")).to_be_visible()
            assert await page.get_by_role("button", name="Yes", exact=True).count() == 0
