"""The Summarization page."""

import asyncio
import re
from pathlib import Path

from playwright.async_api import Browser, expect

from tests.browser.conftest import SUMMARY, TEXT, Tab, opened, summarize, values
from tests.support.model_scripts import Script
from tests.support.model_server import FakeModelServer
from tests.support.server import running_server


async def test_a_summary_appears_token_by_token(tab: Tab, model: FakeModelServer) -> None:
    model.scripts["llama32"] = Script(tokens=tuple(f"word{number} " for number in range(40)), rate=40)
    page = await tab.open()
    await page.get_by_label("Text to summarize").fill(TEXT)
    await page.get_by_role("button", name="Summarize").click()
    output = page.locator("[data-output]")
    await expect(output).to_contain_text("word2")
    early = await output.inner_text()
    assert "word39" not in early
    await expect(page.get_by_text("first word after")).to_have_text(
        re.compile(r"^llama32 · first word after \d\.\d\d s · \d+ tokens in \d\.\d s$")
    )
    assert (await output.inner_text()).startswith(early)
    await expect(output).to_contain_text("word39")
    await expect(page.get_by_role("status").last).to_contain_text("Summary complete")
    await expect(page.get_by_role("article", name="Summary")).to_be_focused()


async def test_stop_ends_the_generation_at_the_model(tab: Tab, model: FakeModelServer) -> None:
    model.scripts["llama32"] = Script(tokens=("on and ",), count=10_000, rate=50)
    page = await tab.open()
    await page.get_by_label("Text to summarize").fill(TEXT)
    await page.get_by_role("button", name="Summarize").click()
    await expect(page.locator("[data-output]")).to_contain_text("on and on")
    await expect(page.get_by_role("button", name="Stop")).to_be_focused()
    await page.get_by_role("button", name="Stop").click()
    async with asyncio.timeout(30):
        await model.requests[-1].disconnected.wait()
    await expect(page.get_by_text("You stopped it here.")).to_be_visible()
    await expect(page.get_by_role("button", name="Summarize")).to_be_focused()
    await expect(page.get_by_role("button", name="Stop")).to_have_count(0)
    await expect(page).to_have_title("Stopped · Canopy")


async def test_a_follow_up_question_carries_the_conversation(tab: Tab, model: FakeModelServer) -> None:
    page = await tab.open()
    await summarize(page)
    first = model.requests[-1]
    question = page.get_by_label("Ask a follow-up question")
    await question.fill("Who voted?")
    await question.press("Enter")
    await page.get_by_role("group", name="Was this answer helpful?").wait_for()
    second = model.requests[-1]
    assert first.body["messages"][1:] == [{"role": "user", "content": TEXT}]
    assert second.body["messages"][1:] == [
        {"role": "user", "content": TEXT},
        {"role": "assistant", "content": SUMMARY},
        {"role": "user", "content": "Who voted?"},
    ]
    assert second.body["messages"][0] == first.body["messages"][0]  # the server's own prompt
    await expect(page.get_by_role("article", name="Answer")).to_contain_text("Who voted?")
    await expect(question).to_be_focused()


async def test_what_the_model_writes_is_text_whatever_it_looks_like(tab: Tab, model: FakeModelServer) -> None:
    nasty = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">&amp; **bold**"
    model.scripts["llama32"] = Script(tokens=(nasty,))
    page = await tab.open()
    await summarize(page, nasty)
    assert await page.locator("[data-output]").inner_text() == nasty
    await page.get_by_label("Ask a follow-up question").fill(nasty)
    await page.get_by_role("button", name="Ask").click()
    await page.get_by_role("group", name="Was this answer helpful?").wait_for()
    assert await page.locator("#conversation script, #conversation img").count() == 0
    assert await page.title() == "Answer ready · Canopy"


async def test_thoughts_that_only_their_end_gives_away_are_taken_back(
    browser: Browser, model: FakeModelServer, tmp_path: Path
) -> None:
    model.scripts["llama32"] = Script(tokens=("Let me see.", "\n</think>\n\n", "A park."))
    # On a server of its own: it learns that the model thinks, and holds back what the model says next.
    async with running_server(tmp_path, values(model)) as server, opened(browser, server) as tab:
        page = await tab.open()
        await summarize(page)
        await expect(page.locator("[data-output]")).to_have_text("A park.")
        await page.get_by_label("Ask a follow-up question").fill("When?")
        await page.get_by_role("button", name="Ask").click()
        await page.get_by_role("group", name="Was this answer helpful?").wait_for()
    assert {"role": "assistant", "content": "A park."} in model.requests[-1].body["messages"]


async def test_copy_takes_the_summary_as_it_is(tab: Tab) -> None:
    await tab.page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=tab.origin)
    page = await tab.open()
    await summarize(page)
    await page.get_by_role("button", name="Copy").click()
    await expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert await page.evaluate("navigator.clipboard.readText()") == SUMMARY


async def test_a_failure_is_a_sentence_and_can_be_tried_again(tab: Tab, model: FakeModelServer) -> None:
    tab.failures_expected = True
    model.scripts["llama32"] = Script(status=429, headers=(("Retry-After", "20"),))
    page = await tab.open()
    await page.get_by_label("Text to summarize").fill(TEXT)
    await page.get_by_role("button", name="Summarize").click()
    alert = page.get_by_role("alert")
    await expect(alert).to_contain_text("Try again in 20 seconds.")
    await expect(alert).to_contain_text("Request ")
    await expect(alert.get_by_role("button", name="Try again")).to_be_focused()
    model.scripts.clear()
    await page.keyboard.press("Enter")
    await page.get_by_role("group", name="Was this summary helpful?").wait_for()
    await expect(page.locator("[data-output]")).to_have_text(SUMMARY)
    await expect(page.get_by_text("Try again in 20 seconds.")).to_have_count(0)


async def test_an_answer_that_breaks_off_is_kept_and_called_incomplete(tab: Tab, model: FakeModelServer) -> None:
    model.scripts["llama32"] = Script(tokens=("Half an ", "answer"), ending="cut", rate=50)
    page = await tab.open()
    await page.get_by_label("Text to summarize").fill(TEXT)
    await page.get_by_role("button", name="Summarize").click()
    await expect(page.get_by_role("alert")).to_contain_text(".")
    await expect(page.get_by_text("Incomplete.")).to_be_visible()
    await expect(page.locator("[data-output]")).to_contain_text("Half an")
    assert await page.get_by_role("group", name="Was this summary helpful?").count() == 0


async def test_a_server_that_is_gone_is_said_in_a_sentence(tab: Tab) -> None:
    tab.failures_expected = True
    page = await tab.open()
    await page.route("**/summarize", lambda route: route.abort("connectionrefused"))
    await page.get_by_label("Text to summarize").fill(TEXT)
    await page.get_by_role("button", name="Summarize").click()
    await expect(page.get_by_role("alert")).to_contain_text("Canopy can't be reached.")


async def test_a_reply_at_the_token_limit_says_so(tab: Tab, model: FakeModelServer) -> None:
    model.scripts["llama32"] = Script(finish_reason="length")
    page = await tab.open()
    await summarize(page)
    await expect(page.get_by_text("Cut off at the configured maximum of 4,096 tokens.")).to_be_visible()


async def test_the_text_survives_a_reload_and_goes_nowhere_by_itself(tab: Tab, model: FakeModelServer) -> None:
    page = await tab.open()
    await page.get_by_label("Text to summarize").fill(TEXT)
    await page.reload()
    await expect(page.get_by_label("Text to summarize")).to_have_value(TEXT)
    assert not model.requests


async def test_a_text_over_the_limit_is_not_sent(tab: Tab, model: FakeModelServer) -> None:
    page = await tab.open()
    await page.get_by_label("Text to summarize").fill("🌱" * 100_000)
    await expect(page.get_by_text("100,000 of 100,000 characters")).to_be_visible()
    await page.get_by_label("Text to summarize").fill("🌱" * 100_002)
    await expect(page.get_by_text("2 characters over the limit of 100,000")).to_be_visible()
    await page.get_by_role("button", name="Summarize").click()
    await expect(page.locator("#text:invalid")).to_be_focused()
    assert not model.requests


async def test_one_key_on_the_empty_page_summarizes_a_sample_text(tab: Tab, model: FakeModelServer) -> None:
    page = await tab.open()
    sample = page.get_by_role("button", name="Try a sample text")
    await sample.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("article", name="Summary")).to_be_focused()
    await expect(page.locator("[data-output]")).to_have_text(SUMMARY)
    await expect(page.get_by_role("status").last).to_contain_text("Summary complete")
    text = page.get_by_label("Text to summarize")
    await expect(text).to_have_value(re.compile("lighthouse"))
    assert [turn["content"] for turn in model.requests[-1].body["messages"][1:]] == [await text.input_value()]
    await expect(sample).to_be_hidden()
    await page.get_by_role("button", name="Clear").click()
    await expect(text).to_have_value("")
    await expect(sample).to_be_visible()


async def test_events_are_read_right_wherever_the_network_cuts_them(tab: Tab) -> None:
    page = await tab.open()
    got = await page.evaluate(
        r"""async () => {
          const stream = ': hello\n\ndata: {"delta": "Grüße 🌱"}\r\n\r\ndata: {"delta": "!"}\n\n'
            + 'data: {"type": "done", "generation_id": "gen_1"}\n\ndata: [DONE]\n\n';
          const bytes = new TextEncoder().encode(stream);
          window.fetch = async () => new Response(new ReadableStream({
            start(controller) {
              for (const byte of bytes) controller.enqueue(new Uint8Array([byte]));
              controller.close();
            },
          }));
          const { generation } = await import(document.querySelector('[href$="wire.js"]').href);
          const events = [];
          for await (const event of generation("/anywhere", {})) events.push(event);
          return events;
        }"""
    )
    assert got == [{"delta": "Grüße 🌱"}, {"delta": "!"}, {"type": "done", "generation_id": "gen_1"}]
