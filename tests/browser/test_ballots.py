"""The vote on two responses: blind before, revealed after, and where it leads."""

from playwright.async_api import expect

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
    posts_of,
    prompts,
    side_with,
)
from tests.browser.conftest import TEXT, Tab
from tests.support.model_server import FakeModelServer

__all__ = ["changing", "comparing", "pair", "prompts"]  # fixtures


async def test_the_whole_way_from_two_columns_to_the_dashboard(pair: Tab) -> None:
    text = "A text about the whole way."
    page = await pair.open()
    await compare(page, text)
    candidate = await side_with(page, SHORT)
    current = "b" if candidate == "a" else "a"
    await choose(
        page,
        f"{candidate.upper()} is better",
        f"Thanks, saved. You preferred Response {candidate.upper()}: the candidate, Prompt B.",
    )
    await expect(page.get_by_role("button", name=f"{candidate.upper()} is better")).to_have_attribute(
        "aria-pressed", "true"
    )
    for side, name, prompt in (
        (candidate, "The candidate — Prompt B", CANDIDATE),
        (current, "The current prompt — Prompt A", CURRENT),
    ):
        await expect(column(page, side)).to_contain_text(name)
        await expect(column(page, side).get_by_text(prompt)).to_be_hidden()
        await column(page, side).get_by_text("Show its text").click()
        await expect(column(page, side).get_by_text(prompt)).to_be_visible()
    await expect(page.locator("#announcer")).to_contain_text(
        f"Response {candidate.upper()} came from the candidate, Prompt B"
    )
    (ballot,) = await ballots(pair, text)
    assert (ballot["preference"], ballot["winning_prompt"]) == (candidate, "prompt_b")

    await choose(
        page, f"{current.upper()} is better", f"You preferred Response {current.upper()}: the current prompt, Prompt A."
    )
    await expect(page.get_by_text("The candidate — Prompt B")).to_have_count(1)
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
    shown = await page.content()
    for secret in (CURRENT, CANDIDATE, "Prompt A", "Prompt B", "prompt_b", "candidate"):
        assert secret not in shown
    await choose(page, "Tie")
    ballot = posted[-1].post_data_json
    assert ballot
    assert ballot.keys() == {"comparison_id", "preference"}
    assert [it.headers["x-session-id"] for it in posted] == [await page.evaluate("localStorage['canopy.session']")] * 2


async def test_both_bad_asks_why_and_becomes_feedback_on_each(pair: Tab) -> None:
    text = "A text about bad summaries."
    page = await pair.open()
    await compare(page, text)
    await choose(page, "Both bad")
    await expect(page.get_by_text("The candidate — Prompt B")).to_be_visible()
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
    await page.evaluate("localStorage.setItem('canopy.session', 'somebody-else')")
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
