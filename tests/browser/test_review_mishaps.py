"""The review where the line is slow or breaks, or two hands write: nobody loses what they wrote or did."""

import asyncio

import httpx
from playwright.async_api import Browser, Route, expect

from tests.browser.conftest import opened
from tests.browser.reviewing import begun, exported
from tests.support.server import Server


async def test_letters_on_a_slow_line_are_no_commands(browser: Browser, fresh: Server) -> None:
    async with opened(browser, fresh) as tab:
        page = await begun(tab)
        field = page.get_by_label("What should it have said?")
        place = page.locator("[data-place]")
        line = asyncio.Event()
        asked: list[str] = []

        async def slowly(route: Route) -> None:
            asked.append(route.request.method)
            await line.wait()
            await route.continue_()

        await page.route("**/feedback/review*", slowly)
        await page.keyboard.press("d")
        await page.keyboard.press("e")
        await page.keyboard.type("dfjku")  # before there is a field to write in
        line.set()
        await expect(place).to_have_text("2 of 3")
        await expect(field).to_be_focused()
        await page.keyboard.type("dfjku")
        await expect(field).to_have_value("dfjku")
        await page.keyboard.press("Escape")

        line.clear()  # a text that is read anew, and a field that is entered by mouse
        await page.keyboard.press("k")
        await page.keyboard.press("x")
        await field.click()
        line.set()
        await expect(place).to_have_text("1 of 3")
        await page.keyboard.type("djf")
        await expect(field).to_have_value("djf")
        await expect(page.locator("[data-selected]")).to_be_hidden()
        assert asked == ["PUT", "GET"]


async def test_what_fails_midway_can_be_undone_all_the_same(browser: Browser, fresh: Server) -> None:
    async with opened(browser, fresh) as tab:
        tab.failures_expected = True
        page = await tab.open("/feedback/review")
        undo = page.get_by_role("button", name="Undo").first
        troubles = iter(["lost", "", "", "broken", "", "", "", "broken"])

        async def unsteadily(route: Route) -> None:
            trouble = next(troubles, "") if route.request.method == "PUT" else ""
            if trouble == "broken":
                await route.fulfill(status=500, json={"detail": "It broke."})
            elif trouble == "lost":
                await route.fetch()
                await route.abort()
            else:
                await route.continue_()

        async def small(route: Route) -> None:
            served = await route.fetch()
            await route.fulfill(response=served, body=(await served.text()).replace("MOST = 100;", "MOST = 2;"))

        await page.route("**/feedback/review*", unsteadily)
        await page.route("**/queue.js*", small)
        await begun(tab)
        await page.keyboard.press("d")  # it is done, and the answer gets lost
        await expect(page.get_by_role("heading", name="2 of 3")).to_be_visible()
        await page.keyboard.press("d")
        await expect(page.get_by_role("link", name="Dismissed 2")).to_be_visible()
        await page.keyboard.press("u")
        await page.get_by_role("button", name="Try again").click()
        await expect(page.get_by_role("heading", name="2 of 3")).to_be_visible()  # the same text
        await expect(page.get_by_text("It waits", exact=True)).to_be_visible()
        await undo.click()
        await expect(page.get_by_role("link", name="Waiting 3")).to_be_visible()

        await page.get_by_role("button", name="Select several").click()
        await page.get_by_role("button", name="Select all of these").click()
        await page.get_by_role("group", name="What is selected").get_by_role("button", name="Fine").click()
        await expect(page.get_by_text("It broke.")).to_be_visible()
        await expect(page.get_by_role("link", name="Fine 2")).to_be_visible()
        await expect(page.get_by_text("1 text selected")).to_be_visible()
        await undo.click()
        await expect(page.get_by_role("link", name="Waiting 3")).to_be_visible()
        assert await exported(fresh) == ["", "", ""]


async def test_a_suggestion_costs_nobody_what_they_wrote(browser: Browser, fresh: Server) -> None:
    async with opened(browser, fresh) as tab, httpx.AsyncClient(base_url=fresh.url) as http:
        third = (await http.get("/feedback/review")).json()["cases"][2]["item"]
        page = await tab.open(f"/feedback/review?at={third}")
        field = page.get_by_label("What should it have said?")
        await field.fill("Mine.")
        await page.get_by_role("button", name="Edit it first").click()
        await expect(field).to_have_value("Mine.")
        await page.get_by_role("button", name="Replace what you wrote").click()
        await expect(field).to_have_value("It is the third.")
        await field.fill("Mine.")
        await page.keyboard.press("Escape")
        await page.keyboard.press("t")
        await expect(page.get_by_role("link", name="Written 1")).to_be_visible()
        await page.keyboard.press("k")
        await expect(field).to_have_value("It is the third.")  # a later save changes nothing
        await page.keyboard.press("u")
        await expect(page.get_by_role("link", name="Waiting 3")).to_be_visible()
        await expect(field).to_have_value("Mine.")
