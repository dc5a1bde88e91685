"""The page of the review: people without a terminal say what a good summary would be, by mouse or by keyboard alone."""

from collections.abc import AsyncGenerator

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.browser.conftest import Tab, opened
from tests.browser.reviewing import begun, exported
from tests.browser.test_access import EXTREMES, check
from tests.browser.test_feedback import NASTY
from tests.support.server import Server


async def test_all_of_it_by_keyboard_alone(browser: Browser, fresh: Server) -> None:
    async with opened(browser, fresh) as tab:
        page = await begun(tab)
        field = page.get_by_label("What should it have said?")
        place = page.locator("[data-place]")
        keys = page.keyboard
        answers = page.get_by_role("region", name="Answers that disappointed")
        await expect(answers).to_contain_text("1 of 5")
        await expect(answers).to_contain_text("Half of it is missing.")
        await keys.press("e")
        await expect(field).to_be_focused()
        await keys.type("jkfdu? and so on")  # which are letters here
        await expect(field).to_have_value("jkfdu? and so on")
        await expect(place).to_have_text("1 of 3")
        await keys.press("Control+Enter")
        await expect(place).to_have_text("2 of 3")
        await expect(place).to_be_focused()
        await expect(page.get_by_role("link", name="Waiting 2")).to_be_visible()
        await keys.press("f")
        await expect(place).to_have_text("3 of 3")
        await keys.press("t")  # what the voter suggests
        await expect(page.get_by_role("heading", name="That was all")).to_be_focused()
        await expect(page.get_by_text("No text waits for a review.")).to_be_visible()
        assert await exported(fresh) == ["jkfdu? and so on", "It is the third."]

        await keys.press("u")
        await expect(place).to_have_text("3 of 3")
        await expect(field).to_have_value("It is the third.")  # it is a draft again
        await expect(page.get_by_text("It waits", exact=True)).to_be_visible()
        await keys.press("d")
        await expect(page.get_by_role("heading", name="That was all")).to_be_focused()
        await keys.press("k")
        await keys.press("k")
        await expect(place).to_have_text("2 of 3")
        await expect(page.get_by_text("A reviewer found the answer fine, just now").first).to_be_visible()
        assert await exported(fresh) == ["jkfdu? and so on"]

        await keys.press("?")
        await expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
        await keys.press("j")  # does nothing below the dialog
        await page.get_by_label("Keys of one letter are on").uncheck()
        await keys.press("Escape")
        await keys.press("j")
        await expect(place).to_have_text("2 of 3")
        await page.reload()
        await expect(page.get_by_role("heading", name="One text")).to_be_visible()  # none is left in the list
        await keys.press("f")
        assert await exported(fresh) == ["jkfdu? and so on"]


async def test_what_people_wrote_is_text_and_drafts_outlive_a_reload(browser: Browser, fresh: Server) -> None:
    async with opened(browser, fresh) as tab:
        page = await begun(tab)
        field = page.get_by_label("What should it have said?")
        await field.fill("A draft of the first")
        await page.get_by_role("button", name="Next", exact=True).click()
        await expect(page.get_by_role("heading", name="2 of 3")).to_be_visible()
        await expect(page.get_by_role("region", name="Text to review")).to_have_text(NASTY)
        await field.fill(NASTY)
        await page.reload()
        await expect(page.get_by_role("heading", name="2 of 3")).to_be_visible()  # its address is the page's
        await expect(field).to_have_value(NASTY)
        await page.get_by_role("button", name="Back", exact=True).click()
        await expect(field).to_have_value("A draft of the first")
        await page.get_by_role("button", name="Next", exact=True).click()
        await page.get_by_role("button", name="Save and next").click()
        await expect(page.get_by_role("heading", name="3 of 3")).to_be_visible()
        assert await exported(fresh) == ["", NASTY, ""]
        assert await page.title() == "Review · Canopy"
        await page.get_by_role("button", name="Save and next").click()  # nothing is written
        await expect(page.get_by_role("heading", name="3 of 3")).to_be_visible()
        await page.get_by_role("button", name="Edit it first").click()
        await expect(field).to_have_value("It is the third.")
        await page.get_by_role("link", name="Written 1").click()
        await expect(page.get_by_role("heading", name="1 of 1")).to_be_visible()
        await expect(field).to_have_value(NASTY)
        await page.get_by_role("button", name="Let it wait again").click()
        await expect(page.get_by_role("link", name="Waiting 3")).to_be_visible()
        assert await exported(fresh) == ["", "", ""]


async def test_several_at_once_and_undone_at_once(browser: Browser, fresh: Server) -> None:
    async with opened(browser, fresh) as tab:
        page = await begun(tab)
        await page.get_by_role("button", name="Select several").click()
        await page.get_by_role("button", name="Select all of these").click()
        await page.get_by_role("checkbox", name="Select").first.uncheck()
        await expect(page.get_by_text("2 texts selected")).to_be_visible()
        await page.get_by_role("group", name="What is selected").get_by_role("button", name="Fine").click()
        await expect(page.get_by_role("link", name="Fine 2")).to_be_visible()
        assert await exported(fresh) == [""]
        await page.get_by_role("button", name="Undo").first.click()
        await expect(page.get_by_role("link", name="Waiting 3")).to_be_visible()
        assert await exported(fresh) == ["", "", ""]


async def test_who_is_later_is_told_and_loses_no_draft(browser: Browser, fresh: Server) -> None:
    async with opened(browser, fresh) as tab, httpx.AsyncClient(base_url=fresh.url) as http:
        tab.failures_expected = True
        page = await begun(tab)
        field = page.get_by_label("What should it have said?")
        await field.fill("Mine.")
        item = (await http.get("/feedback/review")).json()["cases"][0]["item"]
        theirs = {"item": item, "expected_result": "Theirs."}
        assert (await http.put("/feedback/review", json=theirs)).status_code == 200
        await page.get_by_role("button", name="Save and next").click()
        await expect(page.get_by_role("alert").get_by_text("wrote what is expected at")).to_be_visible()
        await expect(page.get_by_text("A reviewer wrote what it should have said, just now").first).to_be_visible()
        await expect(field).to_have_value("Mine.")
        await expect(page.get_by_role("region", name="What is saved")).to_have_text("Theirs.")
        assert (await exported(fresh))[0] == "Theirs."
        await page.get_by_role("button", name="Replace what is saved").click()  # now that it is known
        await expect(page.get_by_role("heading", name="2 of 3")).to_be_visible()
        assert (await exported(fresh))[0] == "Mine."

        second = (await http.get("/feedback/review")).json()["cases"][0]["feedback_id"]
        await field.fill("Too late.")
        await http.delete(f"/feedback/{second}")
        await page.get_by_role("button", name="Save and next").click()
        await expect(page.get_by_text("There is no vote on this text")).to_be_visible()
        await expect(field).to_have_value("Too late.")
        await page.get_by_role("button", name="Next", exact=True).click()
        await expect(page.get_by_role("heading", name="3 of 3")).to_be_visible()


async def test_what_others_did_is_undone_only_where_that_is_said(browser: Browser, fresh: Server) -> None:
    async with opened(browser, fresh) as tab, httpx.AsyncClient(base_url=fresh.url) as http:
        item = (await http.get("/feedback/review")).json()["cases"][0]["item"]
        assert (await http.put("/feedback/review", json={"item": item, "action": "dismiss"})).status_code == 200
        page = await tab.open("/feedback/review?state=dismissed")
        await expect(page.get_by_role("heading", name="1 of 1")).to_be_visible()
        await page.keyboard.press("u")
        await expect(page.get_by_role("alert").get_by_text("Nothing was done in this tab")).to_be_visible()
        assert len(await exported(fresh)) == 2
        await page.get_by_role("button", name="Take back: A reviewer dismissed it").click()
        await expect(page.get_by_text("It waits", exact=True)).to_be_visible()
        assert len(await exported(fresh)) == 3


async def test_a_conflict_names_the_text_that_it_is_about(browser: Browser, fresh: Server) -> None:
    async with opened(browser, fresh) as tab, httpx.AsyncClient(base_url=fresh.url) as http:
        tab.failures_expected = True
        page = await begun(tab)
        item = (await http.get("/feedback/review")).json()["cases"][0]["item"]
        await page.keyboard.press("d")
        await expect(page.get_by_role("heading", name="2 of 3")).to_be_visible()
        assert (await http.put("/feedback/review", json={"item": item, "action": "fine"})).status_code == 200
        await page.keyboard.press("u")
        conflict = page.locator("[data-trouble]")
        await expect(conflict.get_by_text("found the answer fine at")).to_be_visible()
        await expect(conflict.get_by_role("link", name="An unbroken word")).to_be_visible()
        await expect(page.locator("[data-case] [data-failure]")).to_be_empty()


async def test_keys_are_about_what_is_selected_and_esc_selects_nothing(browser: Browser, fresh: Server) -> None:
    async with opened(browser, fresh) as tab:
        page = await begun(tab)
        for key in ("x", "j", "x"):
            await page.keyboard.press(key)
        await expect(page.locator("[data-selected]")).to_have_text("2 texts selected")
        await page.keyboard.press("Escape")
        await expect(page.locator("[data-selected]")).to_be_hidden()
        for key in ("x", "k", "x", "j", "j", "d"):
            await page.keyboard.press(key)
        await expect(page.get_by_role("link", name="Dismissed 2")).to_be_visible()
        await expect(page.get_by_role("heading", name="3 of 3")).to_be_visible()  # which was not selected


async def test_from_a_link_the_text_before_is_one_step_back(browser: Browser, fresh: Server) -> None:
    async with opened(browser, fresh) as tab, httpx.AsyncClient(base_url=fresh.url) as http:
        for n in range(25):
            vote = {"input_text": f"Older {n}.", "response_text": "No.", "rating": "thumbs_down"}
            assert (await http.post("/feedback", json=vote)).status_code == 200
        cases = (await http.get("/feedback/review?limit=50")).json()["cases"]
        page = await tab.open(f"/feedback/review?at={cases[24]['item']}")
        await expect(page.get_by_role("heading", name="25 of 28")).to_be_visible()
        await page.keyboard.press("k")
        await expect(page.get_by_role("heading", name="24 of 28")).to_be_visible()


async def test_what_matches_nothing_says_so_with_a_way_out(browser: Browser, fresh: Server) -> None:
    async with opened(browser, fresh) as tab:
        tab.failures_expected = True
        page = await tab.open("/feedback/review?q=zzzzzz")
        await expect(
            page.get_by_text("None of the texts that match waits for a review; 3 wait in all.")
        ).to_be_visible()
        await page.get_by_role("link", name="Show all that wait").click()
        await expect(page.get_by_role("heading", name="1 of 3")).to_be_visible()
        await page.set_viewport_size({"width": 320, "height": 640})
        await tab.open("/feedback/review?at=nonsense:x")
        message = page.get_by_role("alert").get_by_text("No text is at this address")
        await expect(message).to_be_in_viewport(ratio=0.99)
        field = page.get_by_label("What should it have said?")  # of another text
        assert await message.evaluate(
            "(it, field) => it.compareDocumentPosition(field) & 4", await field.element_handle()
        )


async def test_on_a_phone_the_answer_is_seen_with_what_can_be_said(browser: Browser, fresh: Server) -> None:
    async with opened(browser, fresh, viewport={"width": 320, "height": 640}) as tab:
        page = await begun(tab)
        # Votes are what is counted: one person may have several.
        await expect(page.locator("[data-case] [data-facts]")).to_have_text("1 bad vote, the newest just now")
        answer = page.get_by_role("group", name="Answer")
        assert await answer.evaluate("it => it.clientHeight === it.scrollHeight")  # all of it
        field = page.get_by_label("What should it have said?")
        await field.fill("Mine.")
        async with httpx.AsyncClient(base_url=fresh.url) as http:
            theirs = {"item": (await http.get("/feedback/review")).json()["cases"][0]["item"], "action": "fine"}
            assert (await http.put("/feedback/review", json=theirs)).status_code == 200
            tab.failures_expected = True
            await page.get_by_role("button", name="Save", exact=True).click()
            conflict = page.get_by_role("alert").get_by_text("found the answer fine at")
            await expect(conflict).to_be_in_viewport(ratio=0.99)
            bar = page.locator(".review-actions")
            box, message = await bar.bounding_box(), await conflict.bounding_box()
            assert box and message and message["y"] + message["height"] <= box["y"]
            assert box["height"] <= 64
            heights = await bar.locator("button:visible").evaluate_all("all => all.map((it) => it.offsetHeight)")
            assert len(heights) == 3 and min(heights) >= 44
            assert (await http.put("/feedback/review", json={**theirs, "action": "reopen"})).status_code == 200
        await page.reload()
        await page.get_by_role("heading", name="1 of 3").evaluate("it => it.scrollIntoView({ block: 'center' })")
        await expect(page.get_by_role("button", name="Dismiss", exact=True)).to_be_in_viewport(ratio=0.99)
        await page.get_by_role("button", name="Dismiss", exact=True).click()
        await expect(page.get_by_role("heading", name="2 of 3")).to_be_in_viewport(ratio=0.99)
        await page.get_by_role("button", name="Select several").click()
        await page.get_by_role("checkbox", name="Select").first.check()
        await expect(page.get_by_text("1 text selected")).to_be_in_viewport(ratio=0.99)


async def test_without_scripts_the_queue_is_a_list_of_entries(browser: Browser, fresh: Server) -> None:
    async with opened(browser, fresh, java_script_enabled=False) as tab:
        page = await tab.open("/feedback?order=worst")
        await expect(page).to_have_url(f"{fresh.url}/feedback/review")
        await expect(page.get_by_role("heading", name="Review")).to_be_visible()
        links = page.locator(".review-list a")
        await expect(links).to_have_count(3)
        await links.nth(2).click()
        await expect(page.get_by_text("It is the third.")).to_be_visible()


@pytest_asyncio.fixture(loop_scope="session", params=EXTREMES)
async def screen(request: pytest.FixtureRequest, browser: Browser, fresh: Server) -> AsyncGenerator[Tab]:
    viewport, scheme = request.param
    options = {"viewport": viewport, "color_scheme": scheme, "bypass_csp": True, "reduced_motion": "reduce"}
    async with opened(browser, fresh, **options) as it:
        yield it


async def test_the_review_is_for_everybody(screen: Tab) -> None:
    page = await begun(screen)
    await page.get_by_role("button", name="Select several").click()
    await check(page)
    await page.get_by_role("button", name="Keys").click()
    await expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    await check(page)
    await page.get_by_role("button", name="Close").click()
    for number in ("2 of 3", "3 of 3"):
        await page.get_by_role("button", name="Next", exact=True).click()
        await expect(page.get_by_role("heading", name=number)).to_be_visible()
    await check(page)
    await page.get_by_role("button", name="Next", exact=True).click()
    await expect(page.get_by_text("3 texts wait for a review.")).to_be_visible()
    await check(page)
