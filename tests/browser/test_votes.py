"""The question whether it helped."""

from typing import Any

import httpx
from playwright.async_api import Page, Route, expect

from tests.browser.conftest import Tab, summarize


async def stored(tab: Tab, text: str) -> list[dict[str, Any]]:
    """The votes on a text, as the API has them."""
    async with httpx.AsyncClient(base_url=tab.origin) as http:
        response = await http.get("/feedback", params={"q": text})
    found: list[dict[str, Any]] = response.json()["feedback"]
    return found


async def press(page: Page, name: str) -> None:
    await page.get_by_role("button", name=name, exact=True).click()


async def test_a_thumb_is_stored_changed_and_taken_back(tab: Tab) -> None:
    page = await tab.open()
    await summarize(page, "A text about voting.")
    yes, no = (page.get_by_role("button", name=name, exact=True) for name in ("Yes", "No"))
    await yes.click()
    await expect(page.get_by_text("Thanks, saved.")).to_be_visible()
    await expect(yes).to_have_attribute("aria-pressed", "true")
    assert [vote["rating"] for vote in await stored(tab, "about voting")] == ["thumbs_up"]
    await no.click()
    await expect(page.get_by_role("group", name="What was wrong?")).to_be_visible()
    await expect(page.get_by_text("Thanks, saved.")).to_be_visible()
    await expect(yes).to_have_attribute("aria-pressed", "false")
    assert [vote["rating"] for vote in await stored(tab, "about voting")] == ["thumbs_down"]
    await press(page, "Take it back")
    await expect(page.get_by_text("Taken back.")).to_be_visible()
    await expect(page.get_by_role("group", name="What was wrong?")).to_have_count(0)
    await expect(no).to_have_attribute("aria-pressed", "false")
    assert await stored(tab, "about voting") == []


async def test_a_complaint_has_reasons_and_a_comment_that_can_be_changed(tab: Tab) -> None:
    page = await tab.open()
    await summarize(page, "A text about reasons.")
    await press(page, "No")
    await page.get_by_label("Too long").check()
    await page.get_by_label("Incomplete").check()
    await page.get_by_label("Comment").fill("The date is missing.")
    await press(page, "Send details")
    await expect(page.get_by_text("Details saved.")).to_be_visible()
    (vote,) = await stored(tab, "about reasons")
    assert (set(vote["reasons"]), vote["comment"]) == ({"too_long", "incomplete"}, "The date is missing.")
    await press(page, "Edit details")
    await page.get_by_label("Too long").uncheck()
    await press(page, "Send details")
    await expect(page.get_by_role("button", name="Edit details")).to_be_focused()
    await expect(page.get_by_text("Details saved.")).to_be_visible()
    (changed,) = await stored(tab, "about reasons")
    assert (changed["id"], changed["reasons"]) == (vote["id"], ["incomplete"])


async def test_a_comment_belongs_to_the_choice_that_it_was_written_for(tab: Tab) -> None:
    page = await tab.open()
    await summarize(page, "A text about changing sides.")
    comment = page.get_by_label("Comment")

    async def written() -> tuple[str, str | None, list[str], str | None]:
        (vote,) = await stored(tab, "about changing sides")
        return vote["rating"], vote["comment"], vote["reasons"], vote["suggestion"]

    await press(page, "No")
    await page.get_by_label("Too long").check()
    await page.get_by_label("What should it have said?").fill("Twelve.")
    await comment.fill("It invents a number.")
    await press(page, "Send details")
    await expect(page.get_by_text("Details saved.")).to_be_visible()
    await press(page, "Yes")
    await expect(page.get_by_text("Thanks, saved. What you wrote for “No” is not part of it.")).to_be_visible()
    await expect(comment).to_be_visible()
    await expect(comment).to_have_value("")
    assert await written() == ("thumbs_up", None, [], None)
    await comment.fill("It is short.")
    await press(page, "Send details")
    await expect(page.get_by_text("Details saved.")).to_be_visible()
    await page.reload()
    await press(page, "No")
    await expect(page.get_by_text("Thanks, saved. What you wrote for “Yes” is not part of it.")).to_be_visible()
    await expect(comment).to_have_value("It invents a number.")
    assert await written() == ("thumbs_down", "It invents a number.", ["too_long"], "Twelve.")


async def test_a_double_click_is_one_vote(tab: Tab) -> None:
    page = await tab.open()
    await summarize(page, "A text about double clicks.")
    no = page.get_by_role("button", name="No", exact=True)
    await no.dblclick()
    await expect(page.get_by_text("Thanks, saved.")).to_be_visible()
    await no.dblclick()
    await expect(no).to_have_attribute("aria-pressed", "true")
    assert [vote["rating"] for vote in await stored(tab, "about double clicks")] == ["thumbs_down"]


async def test_a_vote_that_the_network_loses_is_sent_again_as_the_same(tab: Tab) -> None:
    tab.failures_expected = True
    keys: list[str | None] = []

    async def lose_the_first_answer(route: Route) -> None:
        keys.append(await route.request.header_value("idempotency-key"))
        if len(keys) == 1:
            await route.fetch()
            await route.abort("connectionreset")
        else:
            await route.continue_()

    page = await tab.open()
    await summarize(page, "A text about networks.")
    await page.route("**/feedback", lose_the_first_answer)
    await press(page, "Yes")
    await expect(page.get_by_text("Thanks, saved.")).to_be_visible()
    assert len(keys) == 2
    assert keys[0] == keys[1] is not None
    assert len(await stored(tab, "about networks")) == 1


async def test_a_vote_that_is_refused_is_not_shown_as_given(tab: Tab) -> None:
    tab.failures_expected = True
    page = await tab.open()
    await summarize(page, "A text about refusal.")
    refusal = {"detail": "Votes rest today.", "code": "resting", "request_id": "f" * 32}
    await page.route("**/feedback", lambda route: route.fulfill(status=422, json=refusal))
    await press(page, "Yes")
    await expect(page.get_by_role("alert").filter(has_text="Votes rest today.")).to_be_visible()
    await expect(page.get_by_role("button", name="Yes", exact=True)).to_have_attribute("aria-pressed", "false")
    await page.unroute("**/feedback")
    await press(page, "Try again")
    await expect(page.get_by_text("Thanks, saved.")).to_be_visible()
    assert len(await stored(tab, "about refusal")) == 1


async def test_of_quick_changes_of_mind_the_last_one_counts(tab: Tab) -> None:
    page = await tab.open()
    await summarize(page, "A text about doubt.")
    for name in ("Yes", "No", "Yes", "No", "Yes"):
        await press(page, name)
    await expect(page.get_by_text("Thanks, saved.")).to_be_visible()
    assert [vote["rating"] for vote in await stored(tab, "about doubt")] == ["thumbs_up"]


async def test_an_answer_to_a_question_has_a_vote_of_its_own(tab: Tab) -> None:
    page = await tab.open()
    await summarize(page, "A text about questions.")
    await page.get_by_label("Ask a follow-up question").fill("A question about votes?")
    await press(page, "Ask")
    await page.get_by_role("article", name="Answer").get_by_role("button", name="No", exact=True).click()
    await expect(page.get_by_text("Thanks, saved.")).to_be_visible()
    (vote,) = await stored(tab, "A question about votes?")
    assert (vote["feature"], vote["messages"][-1]["content"]) == ("summarize_chat", "A question about votes?")


async def test_votes_carry_the_browsers_session_and_nobody_is_told_it(tab: Tab) -> None:
    page = await tab.open()
    sent: list[str | None] = []
    page.on("request", lambda request: sent.append(request.headers.get("x-session-id")))
    await summarize(page, "A text about sessions.")
    await press(page, "Yes")
    await expect(page.get_by_text("Thanks, saved.")).to_be_visible()
    (vote,) = await stored(tab, "about sessions")
    session_id = await page.evaluate("localStorage.getItem('canopy.session')")
    assert {it for it in sent if it} == {session_id}
    assert session_id not in str(vote)
