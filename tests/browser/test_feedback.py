"""The feedback dashboard."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
import pytest_asyncio
import yaml
from playwright.async_api import Browser, expect

from tests.browser.conftest import SUMMARY, Tab, opened, summarize, values
from tests.support.model_server import FakeModelServer
from tests.support.server import Server, running_server

NASTY = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"


async def vote(server: Server, text: str, rating: str | int, **more: Any) -> dict[str, Any]:
    """A summary and a vote on it, through the API; returns the outcome of the generation."""
    async with httpx.AsyncClient(base_url=server.url, timeout=20) as http:
        outcome: dict[str, Any] = (await http.post("/summarize", json={"prompt": text, "stream": False})).json()
        body = {"generation_id": outcome["generation_id"], "rating": rating, "session_id": "s", **more}
        assert (await http.post("/feedback", json=body)).status_code == 200
    return outcome


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def reviewed(
    model_server: FakeModelServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[tuple[Server, dict[str, Any]]]:
    """A server with 31 votes (28 positive, 2 negative, 1 neutral), and the generation that the newest is about."""
    async with running_server(tmp_path_factory.mktemp("reviewed"), values(model_server)) as server:
        await asyncio.gather(*(vote(server, f"A fine text, number {number}.", "thumbs_up") for number in range(27)))
        await vote(server, "A text for five.", 5)
        await vote(server, "A text for three.", 3)
        await vote(server, NASTY, "thumbs_down", comment=NASTY)
        generation = await vote(
            server, "A text about trains.", "thumbs_down", reasons=["too_long"], comment="Far too long."
        )
        yield server, generation


@pytest_asyncio.fixture(loop_scope="session")
async def board(browser: Browser, reviewed: tuple[Server, dict[str, Any]]) -> AsyncGenerator[Tab]:
    async with opened(browser, reviewed[0]) as it:
        yield it


async def metrics(tab: Tab) -> dict[str, str]:
    names = await tab.page.locator(".metric dt").all_inner_texts()
    return dict(zip(names, await tab.page.locator(".metric dd").all_inner_texts(), strict=True))


async def test_the_whole_way_from_a_text_to_a_test_case(
    browser: Browser, model_server: FakeModelServer, tmp_path: Path
) -> None:
    async with running_server(tmp_path, values(model_server)) as server, opened(browser, server) as tab:
        page = await tab.open()
        await summarize(page, "The council voted to build a park.")
        await page.get_by_role("button", name="No", exact=True).click()
        await page.get_by_label("Inaccurate").check()
        await page.get_by_label("Comment").fill("It invents a mayor.")
        await page.get_by_role("button", name="Send details").click()
        await expect(page.get_by_text("Details saved.")).to_be_visible()
        await page.get_by_role("link", name="Feedback").click()
        assert await metrics(tab) == {"Votes": "1", "Positive": "0", "Negative": "1", "Satisfaction": "0 %"}
        await page.get_by_role("link", name="Negative").click()
        entry = page.locator("details.entry")
        await entry.locator("summary").click()
        for text in ("It invents a mayor.", "Inaccurate", SUMMARY, "llama32", "temperature 0.9, max tokens 4096"):
            await expect(entry).to_contain_text(text)
        async with page.expect_download() as download:
            await page.get_by_role("link", name="Download feedback-eval-dataset.yaml").click()
        file = await download.value
        assert file.suggested_filename == "feedback-eval-dataset.yaml"
        dataset = yaml.safe_load(await asyncio.to_thread(Path(await file.path()).read_bytes))
        assert dataset["tests"] == [{"prompt": "The council voted to build a park.", "expected_result": ""}]


async def test_without_votes_it_says_how_to_get_the_first(
    browser: Browser, model_server: FakeModelServer, tmp_path: Path
) -> None:
    async with running_server(tmp_path, values(model_server)) as server, opened(browser, server) as tab:
        page = await tab.open("/feedback")
        await expect(page.get_by_role("heading", name="No votes yet")).to_be_visible()
        await page.get_by_role("link", name="Summarize a text").click()
        await expect(page.get_by_label("Text to summarize")).to_be_visible()


async def test_totals_a_picture_and_prompt_versions(board: Tab) -> None:
    page = await board.open("/feedback")
    assert await metrics(board) == {
        "Votes": "31",
        "Positive": "28",
        "Negative": "2",
        "Neutral": "1",
        "Satisfaction": "93 %",
    }
    picture = page.get_by_role("img", name="Satisfaction and votes per hour")
    await expect(picture).to_be_visible()
    assert await picture.locator("path.positive").get_attribute("d")
    await expect(page.get_by_text("31 votes on 31 summaries, 100.0 %.")).to_be_visible()
    tokens = page.get_by_role("img", name="Tokens per hour")
    await expect(tokens.locator("rect.tokens")).not_to_have_count(0)
    waiting = page.locator(".need").filter(has_text="2 wait for review")
    await expect(waiting.get_by_role("link", name="Review")).to_have_attribute("href", "/feedback/review")
    await page.get_by_text("The same as a table").click()
    rows = page.get_by_role("region", name="Votes and satisfaction per hour").locator("tbody tr")
    assert sum([int(await row.locator("td").first.inner_text()) for row in await rows.all()]) == 28
    await page.get_by_role("link", name="Prompt versions").click()
    row = page.get_by_role("table").get_by_role("row").nth(1)
    await expect(row).to_contain_text("llama32")
    await expect(row).to_contain_text("79 % to 98 %")
    await row.get_by_role("link").click()
    await expect(page.get_by_role("region", name="Text of the prompt")).to_have_text("Summarize:")


async def test_an_entry_opens_to_what_produced_it(board: Tab, reviewed: tuple[Server, dict[str, Any]]) -> None:
    generation = reviewed[1]
    page = await board.open("/feedback")
    entry = page.locator("details.entry").first
    for shown in ("Not helpful", "Far too long.", f"Response {SUMMARY}", "Text A text about trains.", "Too long"):
        await expect(entry.locator("summary")).to_contain_text(shown)
    await expect(entry.get_by_text(generation["generation_id"])).to_be_hidden()
    await entry.locator("summary").focus()
    await page.keyboard.press("Enter")
    for text in (generation["generation_id"], generation["request_id"], "Summarize:", "Far too long.", "13 out"):
        await expect(entry).to_contain_text(text)
    exact = await entry.locator("time").get_attribute("datetime")
    assert exact is not None
    assert exact.endswith("Z")


async def test_what_people_wrote_is_text_whatever_it_looks_like(board: Tab) -> None:
    page = await board.open("/feedback?q=onerror")
    entry = page.locator("details.entry")
    await entry.locator("summary").click()
    assert await entry.locator("blockquote").inner_text() == NASTY
    assert await page.locator("main script, main .entry img").count() == 0
    assert await page.title() == "Feedback · Canopy"


async def test_filters_narrow_the_entries_and_stay_in_the_form(board: Tab) -> None:
    page = await board.open("/feedback")
    await page.get_by_label("Search").fill("TRAINS")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Entries 1 match")).to_be_visible()
    assert page.url == f"{board.origin}/feedback/entries?q=TRAINS#entries"  # what isn't used stays out
    await expect(page.get_by_label("Search")).to_have_value("TRAINS")
    await expect(page.get_by_text("1 of 31")).to_be_in_viewport()
    await expect(page.locator("details.entry summary")).to_be_in_viewport()
    await expect(page.locator("details.entry mark")).to_have_text("trains")
    await page.get_by_role("link", name="Positive").click()
    await expect(page.get_by_text("Nothing matches")).to_be_visible()
    await page.get_by_role("link", name="Clear the filters").click()
    await page.get_by_role("link", name="Negative").click()
    await expect(page.get_by_role("heading", name="Entries 2 matches")).to_be_visible()
    await expect(page.get_by_role("link", name="Negative")).to_have_attribute("aria-current", "true")
    await page.get_by_text("More filters").click()
    await page.get_by_label("To", exact=True).fill("2020-01-31")
    await page.get_by_role("button", name="Apply").click()
    await expect(page.get_by_role("heading", name="Entries 0 matches")).to_be_visible()
    await expect(page.get_by_label("To", exact=True)).to_have_value("2020-01-31")
    await page.get_by_role("link", name="Remove To: 2020-01-31").click()
    await expect(page.get_by_role("heading", name="Entries 2 matches")).to_be_visible()
    await page.get_by_text("More filters").click()
    await page.get_by_label("Reason").select_option("Too long")
    await page.get_by_label("Comment").select_option("With a comment")
    await page.get_by_role("button", name="Apply").click()
    await expect(page.get_by_role("heading", name="Entries 1 match")).to_be_visible()
    await page.goto(f"{board.origin}/feedback?until=2020-01-31&q=trains")
    assert (await metrics(board))["Votes"] == "0"
    await expect(page.get_by_text("They are not narrowed by: search.")).to_be_visible()


async def test_older_entries_are_a_link_away(board: Tab) -> None:
    page = await board.open("/feedback/entries")
    assert await page.locator("details.entry").count() == 25
    await page.get_by_role("link", name="Older").click()
    await expect(page.locator("details.entry")).to_have_count(6)
    await expect(page.get_by_role("link", name="Older")).to_have_count(0)
    await expect(page.get_by_role("heading", name="Entries 26\u201331 of 31")).to_be_in_viewport()
    await page.get_by_role("link", name="Newer").click()
    await expect(page.get_by_text("1\u201325 of 31")).to_be_visible()
    await expect(page.locator("details.entry")).to_have_count(25)


async def test_a_phone_lands_on_what_a_search_finds(browser: Browser, reviewed: tuple[Server, dict[str, Any]]) -> None:
    async with opened(browser, reviewed[0], viewport={"width": 320, "height": 640}) as tab:
        page = await tab.open("/feedback/entries")
        await page.get_by_label("Search").fill("fine text")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="Entries 27 matches")).to_be_in_viewport()
        await expect(page.locator("details.entry summary").first).to_be_in_viewport(ratio=0.9)
        await page.get_by_role("link", name="Older").click()
        await expect(page.get_by_role("heading", name="Entries 26\u201327 of 27")).to_be_in_viewport()
        await expect(page.locator("details.entry summary").first).to_be_in_viewport(ratio=0.9)


async def test_it_works_without_script(browser: Browser, reviewed: tuple[Server, dict[str, Any]]) -> None:
    async with opened(browser, reviewed[0], java_script_enabled=False) as tab:
        page = await tab.open("/feedback")
        await page.get_by_label("Search").fill("trains")
        await page.get_by_role("button", name="Search").click()
        await expect(page.get_by_role("heading", name="Entries 1 match")).to_be_visible()
        await page.locator("details.entry summary").click()
        await expect(page.locator("blockquote", has_text="Far too long.")).to_be_visible()
        await expect(page.locator("details.entry time")).to_contain_text("UTC")


async def test_times_are_the_readers_own_with_utc_in_the_title(
    browser: Browser, reviewed: tuple[Server, dict[str, Any]]
) -> None:
    async with opened(browser, reviewed[0], timezone_id="Asia/Kolkata") as tab:
        page = await tab.open("/feedback/entries")
        time = page.locator("details.entry time").first
        exact = datetime.fromisoformat(str(await time.get_attribute("datetime")))
        there = exact.astimezone(ZoneInfo("Asia/Kolkata"))
        await expect(time).to_have_text(f"{there.day} {there:%b %Y, %H:%M}")
        await expect(time).to_have_attribute("title", f"{exact.day} {exact:%b %Y, %H:%M} UTC")
        await expect(page.get_by_text("Times in Asia/")).to_be_visible()  # Kolkata has two names
        await expect(page.get_by_text("Days begin at 00:00 UTC, 05:30 of yours.")).to_be_visible()
        await page.get_by_role("button", name="Show UTC").click()
        await expect(time).to_have_text(f"{exact.day} {exact:%b %Y, %H:%M} UTC")
        await expect(page.get_by_text("Times in UTC.")).to_be_visible()
        await page.get_by_role("button", name="Show Asia/").click()
        await expect(time).to_have_text(f"{there.day} {there:%b %Y, %H:%M}")
        await page.goto(f"{tab.origin}/feedback/versions")
        await expect(page.get_by_text("Times in Asia/")).to_be_visible()
    async with opened(browser, reviewed[0], timezone_id="UTC") as tab:
        page = await tab.open("/feedback/entries")
        await expect(page.get_by_text("Times in")).to_have_count(0)
        await expect(page.locator("details.entry time").first).to_contain_text("UTC")


async def test_the_export_follows_the_filters(board: Tab) -> None:
    page = await board.open("/feedback?rating=positive&q=trains")
    address = await page.get_by_role("link", name="Download").get_attribute("href")
    assert address == "/feedback/export?q=trains"
    await expect(page.get_by_label("Command to download the dataset")).to_have_text(
        f"curl -fsS '{board.origin}/feedback/export?q=trains' -o feedback-eval-dataset.yaml"
    )


async def test_a_selection_is_a_file_at_a_press_or_by_a_command(board: Tab) -> None:
    page = await board.open("/feedback/entries?q=trains")
    await page.get_by_text("Download these votes").click()
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.get_by_role("button", name="Copy as curl").click()
    await expect(page.get_by_role("button", name="Copied")).to_be_visible()
    address = f"{board.origin}/feedback/file?q=trains&format=json"
    assert await page.evaluate("navigator.clipboard.readText()") == f"curl -fsS '{address}' -o canopy-feedback.json"
    async with page.expect_download() as download:
        await page.get_by_role("link", name="CSV for spreadsheets").click()
    file = await download.value
    assert file.suggested_filename == "canopy-feedback.csv"
    saved = await asyncio.to_thread(Path(await file.path()).read_bytes)
    assert saved.startswith(b"\xef\xbb\xbfid,")
    assert b"Far too long." in saved
    await page.locator("details.entry summary").click()
    copy = page.locator("details.entry").get_by_role("button")
    await copy.click()
    await expect(copy).to_have_text("Copied")
    await page.goto(await page.evaluate("navigator.clipboard.readText()"))
    await expect(page.locator("blockquote")).to_have_text("Far too long.")


async def test_the_export_page_has_the_filters_and_the_votes_themselves(board: Tab) -> None:
    page = await board.open("/feedback/dataset")
    await page.get_by_label("Search").fill("trains")
    await page.get_by_role("button", name="Search").click()
    await expect(page.get_by_text("1 text in this selection")).to_be_visible()
    assert page.url == f"{board.origin}/feedback/dataset?q=trains"
    await expect(page.get_by_role("link", name="Entries", exact=True)).to_have_attribute(
        "href", "/feedback/entries?q=trains"
    )
    await page.get_by_text("Download these votes").click()
    command = page.get_by_label("Command to download the votes")
    await expect(command).to_contain_text("/feedback/file?q=trains&source=any&format=json")
    page = await board.open("/feedback/dataset?rating=positive")
    await expect(page.get_by_text("The rating narrows no tests; it narrows the votes below.")).to_be_visible()
    await expect(page.get_by_text("in this selection")).to_have_count(0)
    await page.get_by_role("link", name="Remove Rating: Positive").click()
    await expect(page.get_by_text("The rating narrows no tests")).to_have_count(0)


async def test_a_wrong_filter_is_a_page_with_the_same_status(board: Tab) -> None:
    board.failures_expected = True
    response = await board.page.goto(f"{board.origin}/feedback?rating=negative&since=yesterday")
    assert response is not None
    assert response.status == 422
    await expect(board.page.get_by_text("“From” must be a day or a time")).to_be_visible()
    await board.page.get_by_role("link", name="Without the dates").click()
    await expect(board.page.get_by_role("heading", name="Feedback", level=1)).to_be_visible()
    assert board.page.url == f"{board.origin}/feedback?rating=negative"


async def test_a_vote_without_a_known_generation_says_so(board: Tab) -> None:
    async with httpx.AsyncClient(base_url=board.origin) as http:
        body = {"input_text": "From another client.", "response_text": "Its answer.", "rating": "thumbs_up"}
        feedback_id = (await http.post("/feedback", json=body)).json()["feedback_id"]
    page = await board.open("/feedback?q=another+client")
    entry = page.locator("details.entry")
    await entry.locator("summary").click()
    await expect(entry).to_contain_text("No generation of this Canopy is known for them.")
    async with httpx.AsyncClient(base_url=board.origin) as http:
        assert (await http.delete(f"/feedback/{feedback_id}")).status_code == 200


async def test_static_files_are_kept_for_ever_under_the_address_of_their_content(board: Tab) -> None:
    page = await board.open("/feedback")
    address = await page.locator("link[rel=stylesheet]").first.get_attribute("href")
    async with httpx.AsyncClient(base_url=board.origin) as http:
        fresh = await http.get(str(address))
        again = await http.get(str(address), headers={"If-None-Match": fresh.headers["etag"]})
        old = await http.get("/ui/0123456789ab/canopy.css")
        parts = [await http.get(f"/ui/0123456789ab/{it}.css") for it in str(address).split("/")[-1][:-4].split("+")]
        missing = await http.get("/ui/0123456789ab/..%2Frendering.py")
    assert "immutable" in fresh.headers["cache-control"]
    assert len(parts) > 1
    assert fresh.content == b"\n".join(it.content for it in parts)
    assert (again.status_code, again.content) == (304, b"")
    assert (old.status_code, old.headers["cache-control"]) == (200, "no-cache")
    assert missing.status_code == 404
