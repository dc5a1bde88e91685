"""Two responses side by side: how they stream, fail and stop."""

import asyncio
import re
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.browser.comparing import (
    CANDIDATE,
    CURRENT,
    LONG,
    SHORT,
    change,
    changing,
    choose,
    column,
    compare,
    compared,
    comparing,
    pair,
    posts_of,
    prompts,
    side_with,
    start,
)
from tests.browser.conftest import PHONE, SUMMARY, WIDE, Tab, opened, summarize, values
from tests.browser.test_access import EXTREMES, check
from tests.support.model_scripts import Script
from tests.support.model_server import FakeModelServer
from tests.support.server import Server

__all__ = ["changing", "comparing", "pair", "prompts"]  # fixtures


async def test_both_responses_appear_at_once_token_by_token(pair: Tab, prompts: FakeModelServer) -> None:
    for prompt, word in ((CURRENT, "long"), (CANDIDATE, "short")):
        prompts.scripts[prompt] = Script(tokens=tuple(f"{word}{number} " for number in range(60)), rate=40)
    page = await pair.open()
    await start(page)
    for side in ("a", "b"):
        await expect(column(page, side)).to_contain_text(re.compile(r"(long|short)2"))
        await expect(column(page, side)).to_have_attribute("aria-busy", "true")
    early = [await column(page, side).inner_text() for side in ("a", "b")]
    assert not any("59" in text for text in early)
    assert await page.get_by_role("button", name="A is better").count() == 0  # not before both are complete
    await page.get_by_role("group", name="Which response is better?").wait_for()
    for side in ("a", "b"):
        await expect(column(page, side)).to_contain_text(re.compile(r"(long|short)59"))
    await expect(page.get_by_role("region", name="Comparison of two responses")).to_be_focused()
    await expect(page.locator("#announcer")).to_have_text("Both responses complete. Which is better?")


async def test_one_response_goes_on_while_the_other_is_held_and_stop_stops_both(
    pair: Tab, prompts: FakeModelServer
) -> None:
    prompts.scripts[CANDIDATE] = Script(first_token_after=3600)
    page = await pair.open()
    await start(page)
    await expect(page.get_by_role("button", name="Copy")).to_be_visible()  # one is complete
    current = await side_with(page, LONG)
    held = column(page, "b" if current == "a" else "a")
    await expect(held).to_contain_text("llama32 is reading…")
    await expect(page.get_by_role("button", name="Stop")).to_be_focused()
    await page.get_by_role("button", name="Stop").click()
    async with asyncio.timeout(30):
        await next(it for it in prompts.requests if not it.finished.is_set()).disconnected.wait()
    await expect(held).to_contain_text("You stopped it before the first word.")
    await expect(column(page, current)).to_contain_text(LONG)
    await expect(page.get_by_text("You stopped this comparison, so there is nothing to vote on.")).to_be_visible()
    await expect(page.get_by_role("group", name="Which response is better?")).to_have_count(0)
    await expect(page.get_by_role("button", name="Summarize")).to_be_focused()


async def test_one_side_failing_is_said_and_both_are_tried_again(pair: Tab, prompts: FakeModelServer) -> None:
    prompts.scripts[CANDIDATE] = Script(tokens=("Half an ", "answer"), ending="cut", rate=50)
    page = await pair.open()
    await start(page)
    sentence = page.get_by_text(re.compile(r"^Response [AB] failed, so this comparison can't be voted on\.$"))
    await expect(sentence).to_be_visible()
    current = await side_with(page, LONG)
    failed = column(page, "b" if current == "a" else "a")
    await expect(failed.get_by_role("alert")).to_contain_text("broke off")
    await expect(failed).to_contain_text("Incomplete.")
    await expect(column(page, current)).to_contain_text(LONG)
    assert await page.get_by_role("button", name="A is better").count() == 0
    prompts.scripts[CANDIDATE] = Script(tokens=(SHORT,))
    await expect(page.get_by_role("button", name="Try again")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.get_by_role("group", name="Which response is better?").wait_for()
    assert {await column(page, side).locator("[data-output]").inner_text() for side in ("a", "b")} == {LONG, SHORT}
    await expect(sentence).to_have_count(0)


async def test_both_sides_failing_after_the_first_words_is_said_once(pair: Tab, prompts: FakeModelServer) -> None:
    for prompt in (CURRENT, CANDIDATE):
        prompts.scripts[prompt] = Script(tokens=("Half an ", "answer"), ending="cut", rate=50)
    page = await pair.open()
    await start(page)
    await expect(page.get_by_text("Both responses failed, so this comparison can't be voted on.")).to_be_visible()
    await expect(page.get_by_role("button", name="Try again")).to_have_count(1)


async def test_a_comparison_that_fails_before_it_began_is_one_sentence(pair: Tab, prompts: FakeModelServer) -> None:
    pair.failures_expected = True
    prompts.scripts.clear()
    prompts.scripts["llama32"] = Script(status=429, headers=(("Retry-After", "20"),))
    page = await pair.open()
    await start(page)
    await expect(page.get_by_role("alert")).to_contain_text("Try again in 20 seconds.")
    await expect(page.get_by_role("article")).to_have_count(1)


async def test_a_connection_that_breaks_is_said_and_there_is_nothing_to_vote_on(pair: Tab) -> None:
    config = '{"type": "ab_config", "comparison_id": "cmp_1", "mapping": {"a": "cmp_1:a", "b": "cmp_1:b"}}'
    events = (config, '{"variant": "a", "delta": "Half"}', '{"variant": "b", "type": "done", "generation_id": "gen_1"}')
    page = await pair.open()
    await page.route(
        "**/summarize/ab",
        lambda route: route.fulfill(
            content_type="text/event-stream", body="".join(f"data: {event}\n\n" for event in events)
        ),
    )
    await start(page)
    await expect(page.get_by_text("The connection broke before the answer was complete.")).to_be_visible()
    await expect(column(page, "a")).to_contain_text("Incomplete.")
    await expect(page.get_by_role("group", name="Which response is better?")).to_have_count(0)


async def test_a_session_outside_the_share_gets_a_summary_with_thumbs(
    browser: Browser, changing: Server, prompts: FakeModelServer
) -> None:
    await change(changing, compared(prompts, percentage=0))
    async with opened(browser, changing) as tab:
        page = await tab.open()
        posted = posts_of(page)
        await summarize(page)
        assert [it.url.removeprefix(tab.origin) for it in posted] == ["/summarize/ab"]
        await expect(page.get_by_role("article", name="Summary")).to_contain_text(LONG)
        await expect(page.get_by_label("Ask a follow-up question")).to_be_visible()
        await expect(page.get_by_role("article")).to_have_count(1)


async def test_a_page_that_was_open_when_comparisons_ended_gets_a_summary(
    browser: Browser, changing: Server, prompts: FakeModelServer
) -> None:
    await change(changing, compared(prompts))
    async with opened(browser, changing) as tab:
        tab.failures_expected = True  # the first request is refused
        page = await tab.open()
        await compare(page)
        await change(changing, values(prompts))
        await summarize(page)
        await expect(page.get_by_role("article", name="Summary")).to_contain_text(SUMMARY)


async def test_with_the_flag_off_nothing_is_asked_of_the_comparisons_route(tab: Tab) -> None:
    page = await tab.open()
    posted = posts_of(page)
    await summarize(page)
    assert [it.url.removeprefix(tab.origin) for it in posted] == ["/summarize"]
    assert await page.locator("#ballot-template, #comparison-template").count() == 0


async def test_what_the_models_write_is_text_whatever_it_looks_like(pair: Tab, prompts: FakeModelServer) -> None:
    nasty = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">&amp;"
    prompts.scripts[CURRENT] = prompts.scripts[CANDIDATE] = Script(tokens=(nasty,))
    page = await pair.open()
    await compare(page, nasty)
    await choose(page, "A is better")
    for side in ("a", "b"):
        assert await column(page, side).locator("[data-output]").inner_text() == nasty
    assert await page.locator("#conversation script, #conversation img").count() == 0
    assert await page.title() == "Summarization · Canopy"


async def test_each_response_is_copied_by_its_own_button(pair: Tab) -> None:
    await pair.page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=pair.origin)
    page = await pair.open()
    await compare(page)
    side = await side_with(page, SHORT)
    await column(page, side).get_by_role("button", name="Copy").click()
    await expect(column(page, side).get_by_role("button", name="Copied")).to_be_visible()
    assert await page.evaluate("navigator.clipboard.readText()") == SHORT


@pytest.mark.parametrize(("viewport", "scheme"), EXTREMES)
async def test_a_comparison_is_for_everybody(
    browser: Browser, comparing: Server, prompts: FakeModelServer, viewport: Any, scheme: Any
) -> None:
    prompts.scripts[CURRENT] = Script(tokens=(LONG, " unbroken", "m" * 400))
    # The policy would stop axe, which is put into the page as a script; half-faded colours are nobody's.
    options = {"viewport": viewport, "color_scheme": scheme, "bypass_csp": True, "reduced_motion": "reduce"}
    async with opened(browser, comparing, **options) as tab:
        page = await tab.open()
        await compare(page)
        await check(page)
        await choose(page, "Both bad")
        await page.get_by_label("Too long").check()
        await page.get_by_text("Show its text").first.click()
        await check(page)
        prompts.scripts[CANDIDATE] = Script(status=500)
        await start(page)
        await expect(page.get_by_text("can't be voted on")).to_be_visible()
        await check(page)


@pytest.mark.parametrize("screen", [PHONE, WIDE])
async def test_what_became_of_a_choice_is_in_sight_of_who_made_it(
    browser: Browser, comparing: Server, prompts: FakeModelServer, screen: dict[str, int]
) -> None:
    prompts.scripts[CURRENT] = Script(tokens=(f"{LONG}\n\n" * 60,))
    async with opened(browser, comparing, viewport=screen) as tab:
        page = await tab.open()
        await compare(page)
        await page.evaluate("scrollTo(0, document.querySelector('.comparison').offsetTop)")
        if screen == PHONE:
            await page.get_by_role("button", name="B is better").click()
        else:
            await page.locator(".comparison").focus()
            await page.keyboard.press("2")
        said = page.get_by_text("Thanks, saved. You preferred Response B")
        await expect(said).to_be_in_viewport(ratio=1)
        before = await page.evaluate("scrollY")
        await page.get_by_role("button", name="Tie").click()
        await expect(page.get_by_text("Thanks, saved.", exact=True)).to_be_in_viewport(ratio=1)
        assert await page.evaluate("scrollY") == before
