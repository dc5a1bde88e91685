"""Leaving the page of a feature while something is being written, and what is there for who comes back."""

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.comparing import (
    CANDIDATE,
    CURRENT,
    choose,
    column,
    compare,
    comparing,
    complaints,
    pair,
    posts_of,
    prompts,
    start,
)
from tests.browser.conftest import PHONE, SUMMARY, Tab, opened, summarize
from tests.browser.test_conversations import MARKDOWN, press
from tests.support.model_scripts import Script
from tests.support.model_server import FakeModelServer
from tests.support.server import Server

__all__ = ["comparing", "pair", "prompts"]  # fixtures

# Words that stand on two lines.
BROKEN = """() => [...document.querySelectorAll("h2, .button, .thumb")].flatMap((it) => {
  if (!it.checkVisibility()) return [];
  const found = [], walk = document.createTreeWalker(it, NodeFilter.SHOW_TEXT);
  for (let text = walk.nextNode(); text; text = walk.nextNode()) {
    for (const word of text.data.matchAll(/\\S+/g)) {
      const range = document.createRange();
      range.setStart(text, word.index);
      range.setEnd(text, word.index + word[0].length);
      if (new Set([...range.getClientRects()].map((box) => box.top)).size > 1) found.push(word[0]);
    }
  }
  return found;
})"""

# What reaches beyond the window or its own box; and whether the page scrolls sideways.
CLIPPED = """() => [
  ...[...document.querySelectorAll("button, .composer-foot, .ballot, h2")].filter((it) => {
    const { left, right } = it.getBoundingClientRect();
    return it.checkVisibility() && (left < 0 || right > innerWidth || it.scrollWidth > it.clientWidth + 1);
  }).map((it) => `${it.textContent.trim()} ${it.scrollWidth} of ${it.clientWidth}`),
  ...(document.documentElement.scrollWidth > innerWidth ? ["the page"] : []),
]"""

# On which side each line of the formatted paragraph of two lines begins.
SIDES = """() => {
  const it = document.querySelector("[data-formatted] p:last-child"), box = it.getBoundingClientRect();
  return [...it.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE && node.data.trim()).map((node) => {
    const range = document.createRange();
    range.selectNodeContents(node);
    const rects = [...range.getClientRects()].filter((rect) => rect.width > 1), last = rects[rects.length - 1];
    return last.left - box.left < box.right - last.right ? "left" : "right";
  });
}"""


async def leave(page: Page, origin: str, how: str) -> None:
    """Leave a page and come back to it."""
    if how == "reload":
        await page.reload()
    else:
        await page.goto(f"{origin}/feedback")
        await (page.go_back() if how == "back" else page.goto(origin))


@pytest.mark.parametrize("how", ["reload", "elsewhere", "back"])
async def test_an_answer_that_was_left_says_so_and_can_be_rated_and_asked_for_again(
    tab: Tab, model: FakeModelServer, how: str
) -> None:
    model.scripts["llama32"] = Script(tokens=("on and ",), count=10_000, rate=50)
    page = await tab.open()
    await start(page, f"A text that is left by {how}.")
    await expect(page.locator("[data-output]")).to_contain_text("on and on")
    await leave(page, tab.origin, how)
    left = page.get_by_role("article", name="Summary")
    await expect(left).to_contain_text("You left before it was complete.")
    await expect(left).to_contain_text("on and on")
    await expect(left).not_to_contain_text("Incomplete.")
    await expect(left.get_by_role("link", name="Its own page")).to_be_visible()
    await choose(page, "No")
    (vote,) = await complaints(tab, f"left by {how}")
    assert (vote["rating"], vote["response_text"][:9]) == ("thumbs_down", "on and on")
    await page.reload()
    await expect(left).to_contain_text("You left before it was complete.")
    model.scripts.clear()
    await press(page, "Try again")
    await expect(left.locator("[data-output]")).to_have_text(SUMMARY)
    await expect(page.get_by_role("button", name="Try again")).to_have_count(0)


async def test_what_was_left_before_its_first_word_and_what_failed_can_be_asked_for_again(
    tab: Tab, model: FakeModelServer
) -> None:
    tab.failures_expected = True
    page = await tab.open()
    await summarize(page, "A text with questions.")
    model.scripts["Who?"] = Script(headers_after=60)
    await page.get_by_label("Ask a follow-up question").fill("Who?")
    await press(page, "Ask")
    await expect(page.get_by_text("is reading…")).to_be_visible()
    await page.reload()
    answer = page.get_by_role("article", name="Answer")
    await expect(answer).to_contain_text("You left before the first word.")
    model.scripts["Who?"] = Script(status=400)
    await press(page, "Try again")
    await expect(answer.get_by_role("alert")).to_contain_text("Request ")
    said = await answer.get_by_role("alert").inner_text()
    await page.reload()
    await expect(answer.get_by_role("alert")).to_have_text(said, use_inner_text=True)
    del model.scripts["Who?"]
    await press(page, "Try again")
    await expect(answer.locator("[data-output]")).to_have_text(SUMMARY)
    await expect(page.get_by_role("article")).to_have_count(2)
    assert [it["content"] for it in model.requests[-1].body["messages"][1:]] == [
        "A text with questions.",
        SUMMARY,
        "Who?",
    ]


async def test_a_comparison_that_was_left_says_so_once_and_is_run_again(pair: Tab, model: FakeModelServer) -> None:
    slow = Script(tokens=("on and ",), count=10_000, rate=50)
    fast = dict(model.scripts)
    model.scripts.update(dict.fromkeys((CURRENT, CANDIDATE), slow))
    page = await pair.open()
    await start(page, "A text whose comparison is left.")
    for side in "ab":
        await expect(column(page, side)).to_contain_text("on and on")
    await page.reload()
    await expect(page.get_by_text("You left before", exact=False)).to_have_count(1)
    await expect(page.get_by_text("so there is nothing to vote on.")).to_be_visible()
    await expect(page.get_by_text("Incomplete.")).to_have_count(0)
    model.scripts.update(fast)
    await press(page, "Try again")
    await page.get_by_role("group", name="Which response is better?").wait_for()


async def test_a_half_written_comment_goes_with_the_vote_when_the_answer_is_put_away(tab: Tab) -> None:
    page = await tab.open()
    for word, button in (("new", "Summarize"), ("cleared", "Clear")):
        await summarize(page, f"A text that is {word}.")
        await choose(page, "No")
        await page.get_by_label("Comment").fill("Half a sen")
        async with page.expect_response("**/feedback") as response:
            await press(page, button)
        await (await response.value).finished()
        (vote,) = await complaints(tab, f"is {word}")
        assert vote["comment"] == "Half a sen"


async def test_a_question_that_is_not_asked_yet_stays_and_escape_in_a_comment_stops_nothing(
    tab: Tab, model: FakeModelServer
) -> None:
    page = await tab.open()
    await summarize(page, "A text with a draft.")
    question = page.get_by_label("Ask a follow-up question")
    await question.fill("Half a ques")
    await page.reload()
    await expect(question).to_have_value("Half a ques")
    model.scripts["llama32"] = Script(tokens=("on and ",), count=10_000, rate=50)
    await press(page, "Ask")
    await expect(page.get_by_role("article", name="Answer")).to_contain_text("on and on")
    await choose(page, "No")
    await page.get_by_label("Comment").press("Escape")
    await question.press("x")
    stop = page.locator("#follow-up").get_by_role("button", name="Stop")
    await expect(stop).to_be_visible()
    await question.press("Escape")
    await expect(stop).to_be_hidden()
    await page.reload()
    await expect(question).to_have_value("x")
    await press(page, "Clear")
    assert await page.evaluate("Object.keys(sessionStorage).filter((it) => it.includes('question'))") == []


async def test_who_can_not_open_an_answer_is_told_why(tab: Tab) -> None:
    tab.failures_expected = True
    page = await tab.open("/generations/gen_none")
    await expect(page.get_by_text("There is no answer of yours at this address.")).to_be_visible()
    await expect(page.get_by_role("button", name="Try again")).to_have_count(0)


async def test_no_word_of_a_heading_or_a_button_breaks_on_a_phone(pair: Tab, model: FakeModelServer) -> None:
    model.scripts.update(dict.fromkeys((CURRENT, CANDIDATE), Script(tokens=(MARKDOWN,))))
    page = await pair.open()
    await compare(page, "A text on a phone.")
    await expect(page.get_by_role("button", name="Plain")).to_have_count(2)
    for width in (320, 360, 390):
        await page.set_viewport_size({"width": width, "height": 740})
        assert await page.evaluate(BROKEN) == [], width


HIDE = """(state) => {
  Object.defineProperty(document, "visibilityState", { configurable: true, get: () => state });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


async def test_a_half_written_comment_is_sent_when_the_page_goes_to_the_background_and_goes_on_after_it(
    tab: Tab,
) -> None:
    page = await tab.open()
    await summarize(page, "A text in the background.")
    await choose(page, "No")
    comment = page.get_by_label("Comment")
    await comment.press_sequentially("Half")
    posted = posts_of(page)
    async with page.expect_response("**/feedback") as response:
        await page.evaluate(HIDE, "hidden")
        await page.evaluate(HIDE, "hidden")
    await (await response.value).finished()
    (vote,) = await complaints(tab, "in the background")
    assert vote["comment"] == "Half"
    await page.evaluate(HIDE, "visible")
    await expect(comment).to_be_focused()
    await page.keyboard.type(" a sentence.")
    await page.keyboard.press("Control+Enter")
    await expect(page.get_by_text("Details saved.")).to_be_visible()
    (vote,) = await complaints(tab, "in the background")
    assert vote["comment"] == "Half a sentence."
    await page.evaluate(HIDE, "hidden")
    assert len(posted) == 2


async def test_no_key_throws_away_what_is_being_written(tab: Tab, model: FakeModelServer) -> None:
    model.scripts["llama32"] = Script(tokens=("on and ",), count=10_000, rate=50)
    page = await tab.open()
    await start(page, "A text and a key.")
    await expect(page.locator("[data-output]")).to_contain_text("on and on")
    posted = posts_of(page)
    await page.get_by_label("Text to summarize").press("Control+Enter")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("article", name="Summary")).to_contain_text("You stopped it here.")
    assert [it for it in posted if it.url.endswith("/summarize")] == []


async def test_letters_of_twice_the_size_fit_on_a_phone(
    browser: Browser, comparing: Server, prompts: FakeModelServer
) -> None:
    mixed = "First in English\n\u05e9\u05dc\u05d5\u05dd \u05dc\u05db\u05d5\u05dc\u05dd"  # the second one in Hebrew
    prompts.scripts[CURRENT] = prompts.scripts[CANDIDATE] = Script(tokens=(f"**Plan**\n\n{mixed}",))
    async with opened(browser, comparing, viewport=PHONE, bypass_csp=True) as tab:
        page = await tab.open()
        await page.add_style_tag(content="html { font-size: 200% !important; }")
        await page.get_by_label("Text to summarize").fill("A text in large letters.")
        assert await page.evaluate(CLIPPED) == []
        await page.get_by_role("button", name="Summarize").click()
        await page.get_by_role("group", name="Which response is better?").wait_for()
        await expect(page.get_by_role("button", name="Plain")).to_have_count(2)
        assert await page.evaluate(CLIPPED) == []
        assert await page.evaluate(SIDES) == ["left", "right"]
        await choose(page, "Both bad")
        assert await page.evaluate(CLIPPED) == []
