"""The dashboard's section on comparisons of two prompts."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
import yaml
from playwright.async_api import Browser, Dialog, Locator, expect

from canopy.store.experiments.experiment import Experiment, Preference
from canopy.store.opening import open_store
from canopy.store.store import Store
from tests.browser.conftest import PHONE, SUMMARY, Tab, opened, values
from tests.browser.test_access import EXTREMES, check
from tests.contract.store.records import HOUR, NOON, Clock, a_ballot, a_comparison, an_experiment
from tests.support.model_server import FakeModelServer
from tests.support.server import Server, running_server

NASTY = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
OLD = an_experiment(id="exp_1111111111111111", prompt_b_id="sha256:old", prompt_b_text="In one word:")
NEW = an_experiment(
    id="exp_2222222222222222",
    created_at=NOON + HOUR,
    prompt_text="Summarize the text in detail.",
    prompt_id="sha256:detail",
    prompt_b_text="Summarize the text briefly & well.",
    prompt_b_id="sha256:brief",
)


def ab_values(model: FakeModelServer, **ab_testing: Any) -> dict[str, Any]:
    parameters = {"model": NEW.model, "temperature": NEW.temperature, "max_tokens": NEW.max_tokens}
    summarize = {**parameters, "prompt": NEW.prompt_text, "prompt_b": NEW.prompt_b_text}
    return values(model, summarize=summarize, ab_testing={"enabled": True, **ab_testing})


async def cast(store: Store, experiment: Experiment, preferences: dict[Preference, int]) -> None:
    """So many ballots, each by another user; Prompt B stands on the right."""

    async def one(number: int, preference: Preference) -> None:
        user = f"{experiment.id}-{preference}-{number}"
        comparison = await a_comparison(store, experiment=experiment, user_id=user, created_at=experiment.created_at)
        await store.comparisons.record_ballot(a_ballot(comparison, preference))

    await asyncio.gather(*(one(number, preference) for preference, n in preferences.items() for number in range(n)))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def decided(model_server: FakeModelServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    """A server with an earlier experiment of 3 ballots and one of 50 that Prompt B has won."""
    folder = tmp_path_factory.mktemp("decided")
    store = open_store(f"sqlite:///{folder / 'canopy.db'}", clock=Clock())
    await store.start()
    await cast(store, OLD, {"a": 1, "b": 1, "tie": 1})
    await cast(store, NEW, {"b": 41, "a": 5, "tie": 3})
    comparison = await a_comparison(store, experiment=NEW, user_id="x", created_at=NEW.created_at, input_text=NASTY)
    await store.comparisons.record_ballot(a_ballot(comparison, "both_bad", comment=NASTY, reasons=("too_long",)))
    await store.close()
    async with running_server(folder, ab_values(model_server)) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def board(browser: Browser, decided: Server) -> AsyncGenerator[Tab]:
    async with opened(browser, decided) as it:
        yield it


def section(tab: Tab) -> Locator:
    return tab.page.get_by_role("region", name="A/B Prompt Comparison Results")


async def wins(tab: Tab) -> dict[str, str]:
    names = await section(tab).locator(".metric dt").all_inner_texts()
    return dict(zip(names, await section(tab).locator(".metric dd:first-of-type").all_inner_texts(), strict=True))


async def test_who_won_and_how_many_people_say_so(board: Tab) -> None:
    await board.open("/feedback")
    await board.page.get_by_role("link", name="A/B Prompt Comparison Results").click()
    await expect(section(board).get_by_role("heading", name="A/B Prompt Comparison Results")).to_be_in_viewport()
    assert await wins(board) == {
        "Prompt A wins": "5",
        "Prompt B wins": "41",
        "Ties": "3",
        "Both bad": "1",
        "Chose a side": "46",
    }
    await section(board).get_by_role("link", name="What the votes prove").click()
    await expect(section(board)).to_contain_text("50 people stand behind 50 ballots.")


async def test_the_decision_for_both_kinds_of_reader_and_what_to_do_about_it(board: Tab, decided: Server) -> None:
    await board.open(f"/experiments/{NEW.id}")
    async with httpx.AsyncClient(base_url=decided.url) as http:
        decision = (await http.get("/feedback/ab")).json()["decision"]
        with_cost = (await http.get(f"/experiments/{NEW.id}/cost")).json()["sentence"]
    assert decision["status"] == "promote_b"
    await expect(section(board)).to_contain_text("Promote the candidate, Prompt B")
    await expect(section(board)).to_contain_text(with_cost)
    await expect(section(board)).to_contain_text("95 % confidence sequence")
    change = yaml.safe_load(await section(board).get_by_label("Change in the values file").inner_text())
    assert change == {"summarize": {"prompt": NEW.prompt_b_text, "prompt_b": ""}}


async def test_the_interval_is_a_picture_with_words_and_a_table(board: Tab) -> None:
    await board.open(f"/experiments/{NEW.id}")
    picture = section(board).get_by_role("img", name="Win rate of Prompt B")
    await expect(picture).to_be_visible()
    described = await picture.locator("desc").text_content()
    assert described
    assert "after 46 it goes from" in described
    await section(board).get_by_text("The picture as a table").click()
    rows = section(board).get_by_role("region", name="Win rate of Prompt B by decisive votes").locator("tbody tr")
    await expect(rows).to_have_count(46)
    await expect(rows.first).to_contain_text("89 %")


async def test_both_prompts_with_their_difference(board: Tab) -> None:
    await board.open(f"/experiments/{NEW.id}")
    prompt_a = section(board).get_by_role("region", name="Text of Prompt A")
    prompt_b = section(board).get_by_role("region", name="Text of Prompt B")
    await expect(prompt_a).to_have_text(NEW.prompt_text)
    await expect(prompt_b).to_have_text(NEW.prompt_b_text)
    await expect(prompt_a.locator("del")).to_have_text("in detail")
    await expect(prompt_b.locator("ins")).to_have_text("briefly & well")
    decoration = "it => getComputedStyle(it).textDecorationLine"
    assert await prompt_a.locator("del").evaluate(decoration) == "line-through"
    assert await prompt_b.locator("ins").evaluate(decoration) == "underline"


async def test_a_ballot_opens_to_both_responses_and_what_was_behind_them(board: Tab) -> None:
    page = await board.open(f"/experiments/{NEW.id}")
    entry = (
        section(board).locator("details.entry").filter(has_text="Preferred Response B: the candidate, Prompt B").first
    )
    await entry.locator("summary").focus()
    await page.keyboard.press("Enter")
    left = entry.get_by_role("group", name="Response A: Current, Prompt A")
    right = entry.get_by_role("group", name="Response B: Candidate, Prompt B")
    await expect(left).to_have_text("Response a.")
    await expect(right).to_have_text("Response b.")
    await expect(entry.get_by_text("preferred", exact=True)).to_have_count(1)
    one, other = await left.bounding_box(), await right.bounding_box()
    assert one
    assert other
    assert one["y"] == other["y"]
    await page.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    one, other = await left.bounding_box(), await right.bounding_box()
    assert one
    assert other
    assert one["y"] < other["y"]


async def test_a_complaint_about_both_keeps_its_words_as_words(board: Tab) -> None:
    page = await board.open(f"/experiments/{NEW.id}")
    entry = section(board).locator("details.entry").filter(has_text="Both bad")
    await entry.locator("summary").click()
    await expect(entry.locator("blockquote")).to_have_text(NASTY)
    await expect(entry.get_by_text("Too long")).to_be_visible()
    assert await page.locator("main script, main .entry img").count() == 0
    assert await page.title() == "Experiment · Canopy"


async def test_notes_are_added_and_deleted_on_the_page_and_its_link_is_copied(board: Tab) -> None:
    page = await board.open(f"/experiments/{NEW.id}")
    notes = page.get_by_role("region", name="Notes")
    await notes.get_by_label("A note").fill(NASTY)
    await notes.get_by_role("button", name="Add the note").click()
    await expect(notes.get_by_role("listitem")).to_have_count(1)
    await expect(notes.get_by_role("listitem").locator(".text")).to_have_text(NASTY)
    await notes.get_by_label("A note").fill("x" * 5_000)
    await notes.get_by_role("button", name="Add the note").click()
    assert "at most 4,000 characters, and this one has 5,000" in await notes.get_by_label("A note").evaluate(
        "it => it.validationMessage"
    )
    await notes.get_by_label("A note").fill("Half written")
    questions = list[str]()

    async def answer(question: Dialog) -> None:
        questions.append(question.message)
        await (question.dismiss() if len(questions) == 1 else question.accept())

    page.on("dialog", answer)
    await notes.get_by_role("button", name="Delete").click()
    await expect(notes.get_by_role("listitem")).to_have_count(1)
    address = await notes.get_attribute("data-address")
    note = await notes.get_by_role("listitem").get_attribute("data-note")
    board.failures_expected = True
    await page.request.delete(f"{board.origin}{address}/{note}")  # by another tab: this one's list ends the same
    await notes.get_by_role("button", name="Delete").click()
    await expect(notes.get_by_role("listitem")).to_have_count(0)
    await expect(notes.get_by_role("alert")).to_be_empty()
    await expect(notes.get_by_role("status")).to_have_text("Somebody had deleted this note already.")
    await expect(notes.get_by_label("A note")).to_have_value("Half written")
    assert questions == ["Delete this note for good? Nobody can bring it back."] * 2
    await notes.get_by_label("A note").fill("")
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.get_by_role("button", name="Copy the link").click()
    await expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert await page.evaluate("navigator.clipboard.readText()") == f"{board.origin}/experiments/{NEW.id}"


async def test_older_comparisons_are_a_link_away(board: Tab) -> None:
    await board.open(f"/experiments/{NEW.id}")
    entries = section(board).locator("details.entry")
    await expect(entries).to_have_count(10)
    for _ in range(4):
        await section(board).get_by_role("link", name="Older comparisons").click()
        await board.page.wait_for_load_state()
    await expect(entries).to_have_count(10)
    await expect(section(board).get_by_role("link", name="Older comparisons")).to_have_count(0)
    await section(board).get_by_role("link", name="Newest comparisons").click()
    await expect(section(board).get_by_role("link", name="Older comparisons")).to_be_visible()


async def test_another_experiment_is_never_mixed_in_and_a_link_away(board: Tab) -> None:
    page = await board.open(f"/experiments/{NEW.id}")
    await expect(section(board).locator(".past")).to_contain_text("Over: undecided")
    await expect(section(board).locator(".past")).to_contain_text("A 1 · B 1 · ties 1 · both bad 0")
    await section(board).locator(".past a").click()
    await expect(section(board)).to_contain_text("Another experiment")
    await expect(section(board).get_by_role("region", name="Text of Prompt B")).to_have_text("In one word:")
    assert (await wins(board))["Prompt B wins"] == "1"
    await expect(section(board).locator("details.entry")).to_have_count(3)
    await page.get_by_role("link", name="To the present one").click()
    assert (await wins(board))["Prompt B wins"] == "41"


async def test_an_experiment_that_is_not_there_is_a_page_that_says_so(board: Tab) -> None:
    board.failures_expected = True
    response = await board.page.goto(f"{board.origin}/feedback?experiment=exp_0")
    assert response
    assert response.status == 404
    await expect(board.page.get_by_text("There is no experiment with this id.")).to_be_visible()


async def test_programs_are_sent_to_the_route_for_programs(decided: Server) -> None:
    async with httpx.AsyncClient(base_url=decided.url) as http:
        answer = await http.get("/feedback", params={"experiment": NEW.id})
    assert answer.status_code == 422
    assert "GET /feedback/ab" in answer.json()["detail"]


@pytest.mark.parametrize(("viewport", "scheme"), EXTREMES)
async def test_the_section_is_for_everybody(browser: Browser, decided: Server, viewport: Any, scheme: Any) -> None:
    # The policy would stop axe, which is put into the page as a script.
    async with opened(browser, decided, viewport=viewport, color_scheme=scheme, bypass_csp=True) as tab:
        await tab.open(f"/experiments/{NEW.id}")
        for preference in ("Preferred Response B", "Both bad"):
            await section(tab).locator("details.entry").filter(has_text=preference).first.locator("summary").click()
        await section(tab).get_by_text("The picture as a table").click()
        await check(tab.page)


async def test_a_ballot_through_the_api_is_here_a_moment_later(
    browser: Browser, model: FakeModelServer, tmp_path: Path
) -> None:
    async with running_server(tmp_path, ab_values(model)) as server, opened(browser, server) as tab:
        await tab.open("/feedback")
        await expect(section(tab)).to_contain_text("No votes on a comparison yet")
        async with httpx.AsyncClient(base_url=server.url, timeout=20) as http:
            body = {"prompt": "A text.", "stream": False, "session_id": "s"}
            comparison = (await http.post("/summarize/ab", json=body)).json()
            ballot = {"comparison_id": comparison["comparison_id"], "preference": "b", "session_id": "s"}
            answer = (await http.post("/feedback/ab", json=ballot)).json()
            experiment = (await http.get("/feedback/ab")).json()["experiment"]["id"]
        await tab.open("/feedback")
        await section(tab).get_by_role("link", name="What the votes prove").click()
        await expect(tab.page).to_have_url(f"{tab.origin}/experiments/{experiment}")
        role = {"prompt": "Current, Prompt A", "prompt_b": "Candidate, Prompt B"}[answer["winning_prompt"]]
        assert (await wins(tab))[f"{role.split(', ')[1]} wins"] == "1"
        await expect(section(tab)).to_contain_text("1 person stands behind 1 ballot.")
        await section(tab).locator("details.entry summary").click()
        chosen = section(tab).get_by_role("group", name=f"Response B: {role}")
        await expect(chosen).to_have_text(SUMMARY)
        server.write_values(ab_values(model, enabled=False))
        await server.event("config_reloaded")
        await tab.open(f"/experiments/{experiment}")
        await expect(section(tab)).to_contain_text("Nothing is compared at present. ab_testing.enabled is false.")


async def test_before_the_first_comparison_it_says_how_to_begin(
    browser: Browser, model: FakeModelServer, tmp_path: Path
) -> None:
    async with running_server(tmp_path, values(model)) as server, opened(browser, server, bypass_csp=True) as tab:
        await tab.open("/feedback")
        snippet = await section(tab).get_by_label("Values that begin a comparison").inner_text()
        await check(tab.page)
        server.write_values(values(model) | yaml.safe_load(snippet) | {"LLAMA_STACK_URL": model.url})
        await server.event("config_reloaded")
        await tab.open("/feedback")
        await section(tab).get_by_role("link", name="Compare two responses").click()
        await expect(tab.page.get_by_label("Text to summarize")).to_be_visible()
