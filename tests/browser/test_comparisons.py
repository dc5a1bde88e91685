"""Two responses side by side: blind until the vote, then revealed."""

import asyncio
import re
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, Request, expect

from tests.browser.conftest import SUMMARY, TEXT, Tab, opened, summarize, values
from tests.browser.test_access import SCREENS, check
from tests.support.model_scripts import Script
from tests.support.model_server import FakeModelServer
from tests.support.server import Server, running_server

CURRENT, CANDIDATE = "Summarize in detail:", "Be brief:"
LONG, SHORT = "A detailed summary of what the council said, and why.", "Rail yard becomes park."


def compared(model: FakeModelServer, **ab_testing: Any) -> dict[str, Any]:
    """Values that compare two prompts."""
    found = values(model, ab_testing={"enabled": True, **ab_testing})
    found["summarize"] |= {"prompt": CURRENT, "prompt_b": CANDIDATE}
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def comparing(model_server: FakeModelServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    env = {"CANOPY_MODEL_RETRIES": "0"}
    async with running_server(tmp_path_factory.mktemp("ab"), compared(model_server), env=env) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def changing(model_server: FakeModelServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    """A server whose values each test changes."""
    async with running_server(tmp_path_factory.mktemp("changing"), values(model_server)) as server:
        yield server


async def change(server: Server, to: dict[str, Any]) -> None:
    reloads = len(server.events("config_reloaded"))
    server.write_values(to)
    await server.event("config_reloaded", count=reloads + 1)


@pytest.fixture
def prompts(model: FakeModelServer) -> FakeModelServer:
    """The model server, answering each prompt its own way."""
    model.scripts.update({CURRENT: Script(tokens=(LONG,)), CANDIDATE: Script(tokens=(SHORT,))})
    return model


@pytest_asyncio.fixture(loop_scope="session")
async def pair(browser: Browser, comparing: Server, prompts: FakeModelServer) -> AsyncGenerator[Tab]:
    del prompts  # as told there, until a test tells it otherwise
    async with opened(browser, comparing) as it:
        yield it


async def start(page: Page, text: str = TEXT) -> None:
    await page.get_by_label("Text to summarize").fill(text)
    await page.get_by_role("button", name="Summarize").click()


async def compare(page: Page, text: str = TEXT) -> None:
    """Start a comparison and wait for the question."""
    await start(page, text)
    await page.get_by_role("group", name="Which response is better?").wait_for()


def column(page: Page, side: str) -> Locator:
    return page.get_by_role("article", name=f"Response {side.upper()}")


async def choose(page: Page, name: str, then: str = "Thanks, saved.") -> None:
    await page.get_by_role("button", name=name, exact=True).click()
    await expect(page.get_by_text(then)).to_be_visible()


async def side_with(page: Page, text: str) -> str:
    """The side whose response has this text."""
    return "a" if text in await column(page, "a").locator("[data-output]").inner_text() else "b"


def posts_of(page: Page) -> list[Request]:
    """What the page posts to the server from now on; grows."""
    posted: list[Request] = []

    def saw(request: Request) -> None:
        if request.method == "POST":
            posted.append(request)

    page.on("request", saw)
    return posted


async def ballots(tab: Tab, text: str) -> list[dict[str, Any]]:
    """The ballots on a text, as the API has them."""
    async with httpx.AsyncClient(base_url=tab.origin) as http:
        entries = (await http.get("/feedback/ab")).json()["entries"]
    return [entry for entry in entries if entry["input_text"] == text]


async def complaints(tab: Tab, text: str) -> list[dict[str, Any]]:
    """The feedback on a text, as the API has it."""
    async with httpx.AsyncClient(base_url=tab.origin) as http:
        found: list[dict[str, Any]] = (await http.get("/feedback", params={"q": text})).json()["feedback"]
    return found


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


async def test_the_whole_way_from_two_columns_to_the_dashboard(pair: Tab) -> None:
    text = "A text about the whole way."
    page = await pair.open()
    await compare(page, text)
    candidate = await side_with(page, SHORT)
    current = "b" if candidate == "a" else "a"
    await choose(page, f"{candidate.upper()} is better", "Thanks, saved. You preferred Prompt B, the candidate.")
    await expect(page.get_by_role("button", name=f"{candidate.upper()} is better")).to_have_attribute(
        "aria-pressed", "true"
    )
    for side, name, prompt in ((candidate, "Prompt B — the candidate", CANDIDATE), (current, "Prompt A", CURRENT)):
        await expect(column(page, side)).to_contain_text(name)
        await expect(column(page, side).get_by_text(prompt)).to_be_hidden()
        await column(page, side).get_by_text("Show its text").click()
        await expect(column(page, side).get_by_text(prompt)).to_be_visible()
    await expect(page.locator("#announcer")).to_contain_text(f"Response {candidate.upper()} came from Prompt B")
    (ballot,) = await ballots(pair, text)
    assert (ballot["preference"], ballot["winning_prompt"]) == (candidate, "prompt_b")

    await choose(page, f"{current.upper()} is better", "You preferred Prompt A, the current one.")
    await expect(page.get_by_text("Prompt B — the candidate")).to_have_count(1)
    (ballot,) = await ballots(pair, text)
    assert (ballot["preference"], ballot["winning_prompt"]) == (current, "prompt")

    await page.get_by_role("link", name="Feedback").click()
    await expect(page.get_by_role("heading", name="A/B Prompt Comparison Results")).to_be_visible()
    entry = page.locator("details.compared", has_text=text)
    await entry.locator("summary").click()
    await expect(entry).to_contain_text(LONG)
    await expect(entry).to_contain_text(SHORT)


async def test_nothing_tells_which_prompt_is_which_before_the_vote(pair: Tab) -> None:
    page = await pair.open()
    posted = posts_of(page)
    await compare(page)
    (request,) = posted
    response = await request.response()
    assert response
    said = await response.text()
    shown = await page.content()
    for secret in (CURRENT, CANDIDATE, "Prompt A", "Prompt B", "prompt_b", "candidate"):
        assert secret not in said
        assert secret not in shown
    await choose(page, "Tie")
    ballot = posted[-1].post_data_json
    assert ballot
    assert ballot.keys() == {"comparison_id", "preference"}
    assert [it.headers["x-session-id"] for it in posted] == [
        await page.evaluate("sessionStorage['canopy.session']")
    ] * 2


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
    async with asyncio.timeout(5):
        await next(it for it in prompts.requests if not it.finished.is_set()).disconnected.wait()
    await expect(held).to_contain_text("You stopped it before the first word.")
    await expect(column(page, current)).to_contain_text(LONG)
    await expect(page.get_by_text("You stopped this comparison, so there is nothing to vote on.")).to_be_visible()
    await expect(page.get_by_role("group", name="Which response is better?")).to_have_count(0)
    await expect(page.get_by_role("button", name="Summarize")).to_be_focused()


async def test_both_bad_asks_why_and_becomes_feedback_on_each(pair: Tab) -> None:
    text = "A text about bad summaries."
    page = await pair.open()
    await compare(page, text)
    await choose(page, "Both bad")
    await expect(page.get_by_text("Prompt B — the candidate")).to_be_visible()
    assert [entry["comment"] for entry in await complaints(pair, text)] == [None, None]  # saved at once
    await page.get_by_role("group", name="What is wrong with them?").get_by_label("Too long").check()
    await page.get_by_label("Comment").fill("Neither has the date.")
    await page.get_by_role("button", name="Send details").click()
    await expect(page.get_by_text("Details saved.")).to_be_visible()
    await expect(page.get_by_role("button", name="Edit details")).to_be_focused()
    found = await complaints(pair, text)
    assert {entry["response_text"] for entry in found} == {LONG, SHORT}
    assert all((it["reasons"], it["comment"]) == (["too_long"], "Neither has the date.") for it in found)
    await choose(page, "Tie")
    await expect(page.get_by_role("button", name="Edit details")).to_be_hidden()
    assert await complaints(pair, text) == []
    assert [ballot["preference"] for ballot in await ballots(pair, text)] == ["tie"]


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


async def test_a_ballot_that_is_refused_reveals_nothing_and_is_not_shown_as_given(pair: Tab) -> None:
    pair.failures_expected = True
    page = await pair.open()
    await compare(page)
    refusal = {"detail": "The time for this vote is over.", "code": "comparison_expired", "request_id": "f" * 32}
    await page.route("**/feedback/ab", lambda route: route.fulfill(status=410, json=refusal))
    await page.get_by_role("button", name="A is better").click()
    await expect(page.get_by_role("alert").filter(has_text="The time for this vote is over.")).to_be_visible()
    await expect(page.get_by_text("Not saved.")).to_be_visible()
    await expect(page.get_by_role("button", name="A is better")).to_have_attribute("aria-pressed", "false")
    await expect(page.get_by_text("Prompt B")).to_have_count(0)


async def test_somebody_elses_comparison_is_refused_with_the_servers_sentence(pair: Tab) -> None:
    pair.failures_expected = True
    page = await pair.open()
    await compare(page)
    await page.evaluate("sessionStorage.setItem('canopy.session', 'somebody-else')")
    await page.get_by_role("button", name="B is better").click()
    await expect(page.get_by_text("Not saved.")).to_be_visible()
    await expect(page.get_by_role("alert").filter(has_text="comparison")).to_contain_text("Request ")
    await expect(page.get_by_text("Prompt B")).to_have_count(0)


async def test_questions_go_on_from_the_better_response(pair: Tab, prompts: FakeModelServer) -> None:
    page = await pair.open()
    await compare(page)
    question = page.get_by_label("Ask a follow-up question")
    await expect(question).to_be_hidden()
    await choose(page, "Tie")
    await expect(question).to_be_hidden()
    better = await side_with(page, SHORT)
    await choose(page, f"{better.upper()} is better")
    await expect(page.get_by_text(f"Ask a follow-up question about Response {better.upper()}")).to_be_visible()
    prompts.scripts.clear()
    await question.fill("Which park?")
    await question.press("Enter")
    await page.get_by_role("group", name="Was this answer helpful?").wait_for()
    assert prompts.requests[-1].body["messages"][1:] == [
        {"role": "user", "content": TEXT},
        {"role": "assistant", "content": SHORT},
        {"role": "user", "content": "Which park?"},
    ]


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


async def test_the_whole_way_by_keyboard(pair: Tab) -> None:
    page = await pair.open()
    press = page.keyboard.press
    await page.get_by_label("Text to summarize").focus()
    await page.keyboard.type(TEXT)
    await press("Control+Enter")
    await expect(page.get_by_role("region", name="Comparison of two responses")).to_be_focused()
    for _ in range(4):  # Copy, Copy, A is better, B is better
        await press("Tab")
    await expect(page.get_by_role("button", name="B is better")).to_be_focused()
    await press("Space")
    await expect(page.get_by_text("Thanks, saved.")).to_be_visible()
    await expect(page.get_by_role("button", name="B is better")).to_be_focused()
    await press("Tab")  # Tie
    await press("Tab")
    await press("Enter")
    await expect(page.get_by_role("button", name="Both bad")).to_have_attribute("aria-pressed", "true")
    await press("Tab")
    await expect(page.get_by_label("Inaccurate")).to_be_focused()
    await press("Space")
    await page.get_by_label("Comment").focus()
    await press("Tab")
    await press("Enter")
    await expect(page.get_by_text("Details saved.")).to_be_visible()
    await expect(page.get_by_role("button", name="Edit details")).to_be_focused()


@pytest.mark.parametrize(("viewport", "scheme"), SCREENS)
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
