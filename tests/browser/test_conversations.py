"""What the page of a feature keeps and sends later: conversations, comparisons, and votes cast without a line."""

import asyncio

from playwright.async_api import Page, Route, expect

from tests.browser.comparing import (
    CANDIDATE,
    CURRENT,
    LONG,
    SHORT,
    ballots,
    changing,
    choose,
    column,
    compare,
    comparing,
    complaints,
    pair,
    prompts,
    start,
)
from tests.browser.conftest import SUMMARY, Tab, summarize
from tests.support.model_scripts import Script
from tests.support.model_server import FakeModelServer

__all__ = ["changing", "comparing", "pair", "prompts"]  # fixtures

MARKDOWN = "# Plan\n\nThe **yard** becomes a park:\n\n- trees\n- benches\n\n| Year | Cost |\n|---|---|\n| 2027 | 3 |"


async def press(page: Page, name: str) -> None:
    await page.get_by_role("button", name=name, exact=True).click()


async def lost(route: Route) -> None:
    await route.abort("connectionreset")


async def test_a_conversation_and_its_vote_survive_a_reload_and_a_visit_elsewhere(
    tab: Tab, model: FakeModelServer
) -> None:
    page = await tab.open()
    await summarize(page, "A text that is kept.")
    await choose(page, "No")
    await page.get_by_label("Comment").fill("It lacks the date.")
    await press(page, "Send details")
    await expect(page.get_by_text("Details saved.")).to_be_visible()
    await page.get_by_label("Ask a follow-up question").fill("Who decides?")
    await press(page, "Ask")
    await expect(page.get_by_role("group", name="Was this answer helpful?")).to_be_visible()
    asked = len(model.requests)
    for visit in ("reload", "elsewhere", "back"):
        if visit == "reload":
            await page.reload()
        elif visit == "elsewhere":
            await page.goto(f"{tab.origin}/feedback")
            await page.goto(tab.origin)
        else:
            await page.goto(f"{tab.origin}/feedback")
            await page.go_back()
        await expect(page.get_by_label("Text to summarize")).to_have_value("A text that is kept.")
        await expect(page.get_by_role("article", name="Summary").locator("[data-output]")).to_have_text(SUMMARY)
        vote = page.get_by_role("group", name="Was this summary helpful?")
        await expect(vote.get_by_role("button", name="No")).to_have_attribute("aria-pressed", "true")
        await expect(page.get_by_role("article", name="Answer")).to_contain_text("Who decides?")
    assert len(model.requests) == asked
    await page.get_by_label("Ask a follow-up question").fill("And when?")
    await press(page, "Ask")
    await expect(page.get_by_role("article", name="Answer")).to_have_count(2)
    await expect(page.get_by_role("group", name="Was this answer helpful?")).to_have_count(2)
    said = [message["content"] for message in model.requests[-1].body["messages"][1:]]
    assert said == ["A text that is kept.", SUMMARY, "Who decides?", SUMMARY, "And when?"]
    await press(page, "Clear")
    await page.reload()
    await expect(page.get_by_label("Text to summarize")).to_have_value("")
    await expect(page.get_by_role("article")).to_have_count(0)


async def test_a_comparison_stays_blind_over_a_reload_and_can_be_voted_on(pair: Tab) -> None:
    page = await pair.open()
    await compare(page, "A text that is compared and kept.")
    await page.reload()
    await expect(page.get_by_role("group", name="Which response is better?")).to_be_visible()
    assert {await column(page, side).locator("[data-output]").inner_text() for side in "ab"} == {LONG, SHORT}
    known = await page.evaluate("JSON.stringify([document.body.innerText, {...sessionStorage}, {...localStorage}])")
    for telling in (CURRENT, CANDIDATE, "Prompt A", "Prompt B", "prompt_b"):
        assert telling not in known
    await choose(page, "A is better")
    (ballot,) = await ballots(pair, "A text that is compared and kept.")
    variant = {"prompt": "the current prompt, Prompt A", "prompt_b": "the candidate, Prompt B"}[
        ballot["winning_prompt"]
    ]
    await expect(page.get_by_text(f"You preferred Response A: {variant}.")).to_be_visible()
    await page.reload()
    await expect(page.get_by_text(f"You preferred Response A: {variant}.")).to_be_visible()
    assert len(await ballots(pair, "A text that is compared and kept.")) == 1


async def test_the_keys_1_and_2_choose_where_nothing_is_typed(pair: Tab) -> None:
    page = await pair.open()
    await compare(page, "A text that is chosen by key.")
    await page.get_by_role("region", name="Comparison of two responses").focus()
    await page.keyboard.press("2")
    await expect(page.get_by_text("You preferred Response B")).to_be_visible()
    await press(page, "Say why")
    await page.get_by_label("Comment").fill("1 and 2")
    await page.keyboard.press("1")
    assert [it["preference"] for it in await ballots(pair, "A text that is chosen by key.")] == ["b"]


async def test_a_vote_without_a_line_is_sent_once_when_it_is_back_also_by_the_next_page(tab: Tab) -> None:
    tab.failures_expected = True
    page = await tab.open()
    await summarize(page, "A text about tunnels.")
    await page.context.set_offline(True)
    await press(page, "Yes")
    await expect(page.get_by_text("Will be sent when the line is back.")).to_be_visible()
    assert await complaints(tab, "about tunnels") == []
    await page.context.set_offline(False)
    await expect(page.get_by_text("Thanks, saved.")).to_be_visible()

    await page.route("**/feedback", lost)
    await press(page, "No")
    await expect(page.get_by_text("Will be sent when the line is back.")).to_be_visible()
    await page.unroute("**/feedback")
    await page.reload()
    await expect(page.get_by_text("Thanks, saved.")).to_be_visible()
    assert [vote["rating"] for vote in await complaints(tab, "about tunnels")] == ["thumbs_down"]
    assert await page.evaluate("localStorage.getItem('canopy.votes')") is None


async def test_a_vote_that_waited_and_is_refused_for_good_says_so_and_is_not_kept(tab: Tab) -> None:
    tab.failures_expected = True
    page = await tab.open()
    await summarize(page, "A text about late refusals.")
    await page.route("**/feedback", lost)
    await press(page, "Yes")
    await expect(page.get_by_text("Will be sent when the line is back.")).to_be_visible()
    await page.unroute("**/feedback")
    refusal = {"detail": "This answer takes no votes.", "code": "invalid_input", "request_id": "f" * 32}
    await page.route("**/feedback", lambda route: route.fulfill(status=422, json=refusal))
    await page.reload()
    await expect(page.get_by_role("alert").filter(has_text="This answer takes no votes.")).to_be_visible()
    await expect(page.get_by_role("button", name="Yes", exact=True)).to_have_attribute("aria-pressed", "false")
    assert await page.evaluate("localStorage.getItem('canopy.votes')") is None


async def test_what_was_typed_goes_with_the_vote_when_the_page_is_left(tab: Tab) -> None:
    page = await tab.open()
    await summarize(page, "A text about leaving.")
    await choose(page, "No")
    await page.get_by_label("What should it have said?").fill("  That the yard stays. ")
    await page.get_by_label("Comment").fill("Half a sen")
    await page.goto("about:blank")
    async with asyncio.timeout(30):
        while True:
            (vote,) = await complaints(tab, "about leaving")
            if vote["comment"] is not None:
                break
            await asyncio.sleep(0.1)
    assert (vote["comment"], vote["suggestion"]) == ("Half a sen", "That the yard stays.")
    await tab.open()
    await expect(page.get_by_text("Details saved.")).to_be_visible()
    assert await page.evaluate("localStorage.getItem('canopy.votes')") is None


async def test_yes_asks_quietly_and_sends_a_comment_alone(tab: Tab) -> None:
    page = await tab.open()
    await summarize(page, "A text about praise.")
    await choose(page, "Yes")
    await expect(page.get_by_label("Comment")).to_be_hidden()
    await press(page, "Say why")
    await expect(page.get_by_label("Comment")).to_be_focused()
    await expect(page.get_by_label("What should it have said?")).to_be_hidden()
    await page.get_by_label("Comment").fill("It has the numbers.")
    await press(page, "Send details")
    await expect(page.get_by_text("Details saved.")).to_be_visible()
    (vote,) = await complaints(tab, "about praise")
    assert (vote["rating"], vote["comment"], vote["reasons"]) == ("thumbs_up", "It has the numbers.", [])


async def test_a_slow_answer_says_how_long_it_takes_and_the_tabs_title_tells(tab: Tab, model: FakeModelServer) -> None:
    model.scripts["llama32"] = Script(tokens=("Slow ", "words."), rate=0.15)
    page = await tab.open()
    await page.clock.install()
    await start(page, "A text about patience.")
    await expect(page).to_have_title("Summarizing… · Canopy")
    await page.clock.run_for(2_000)
    await expect(page).to_have_title("Summarizing… · Canopy")
    await page.clock.run_for(2_000)
    await expect(page).to_have_title("Summarizing… 4 s · Canopy")
    await expect(page.get_by_text("… 4 s")).to_be_visible()
    await page.clock.run_for(12_000)
    await expect(page.get_by_text("still working, 16 s")).to_be_visible()
    await expect(page.locator("#announcer")).to_have_text("Still working after 15 seconds.")
    await page.clock.resume()
    await expect(page.get_by_role("group", name="Was this summary helpful?")).to_be_visible()
    await expect(page).to_have_title("Summary ready · Canopy")


async def test_a_stopped_answer_can_be_rated(tab: Tab, model: FakeModelServer) -> None:
    model.scripts["llama32"] = Script(tokens=("on and ",), count=10_000, rate=50)
    page = await tab.open()
    await start(page, "A text about stopping.")
    await expect(page.locator("[data-output]")).to_contain_text("on and on")
    await press(page, "Stop")
    await choose(page, "No")
    (vote,) = await complaints(tab, "about stopping")
    assert (vote["rating"], vote["response_text"][:9]) == ("thumbs_down", "on and on")


async def test_markdown_is_shown_as_such_and_copied_as_it_is(tab: Tab, model: FakeModelServer) -> None:
    model.scripts["llama32"] = Script(tokens=(MARKDOWN,))
    page = await tab.open()
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await summarize(page, "A text about form.")
    answer = page.get_by_role("article", name="Summary")
    await expect(answer.get_by_role("heading", name="Plan", level=3)).to_be_visible()
    await expect(answer.locator("strong")).to_have_text("yard")
    await expect(answer.get_by_role("listitem")).to_have_text(["trees", "benches"])
    await expect(answer.get_by_role("cell", name="2027")).to_be_visible()
    await answer.get_by_role("button", name="Copy").click()
    assert await page.evaluate("navigator.clipboard.readText()") == MARKDOWN
    await answer.get_by_role("button", name="Plain").click()
    assert await answer.locator("[data-output]").inner_text() == MARKDOWN
    await answer.get_by_role("button", name="Formatted").click()
    await expect(answer.locator("strong")).to_be_visible()
    await answer.get_by_role("link", name="Its own page").click()
    await expect(page.get_by_role("heading", name="Plan")).to_be_visible()
    await expect(page.get_by_text("You have not voted on it.")).to_be_visible()
