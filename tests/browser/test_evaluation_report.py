"""The report of a run as one HTML file, opened from the disk by somebody who has nothing else."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from canopy.evals.report import html as report
from canopy.evals.results import Attempt, BaselineComparison, CaseResult, Check, Gate, Run, Score, Target
from tests.browser.conftest import PHONE, WAIT, WIDE
from tests.browser.test_access import check
from tests.support.eval_runs import (
    JUDGED_BADLY,
    JUDGED_WELL,
    a_change,
    a_comparison,
    a_gate,
    a_run,
    an_attempt,
    awaiting,
    failed,
    passed,
    unscored,
)

NASTY = (
    "</script></style></textarea></title><script>window.owned = 1</script><img src=x onerror=window.owned=1>"
    "\"><svg onload=window.owned=1>' onclick=window.owned=1 {{ 7 * 7 }} &lt;b&gt;"
)
LONG = "The council met again, and nothing was decided that evening. " * 1_600  # about 100,000 characters
RTL = "המועצה הצביעה ביום שלישי להפוך את חצר הרכבת לפארק."
INFORMS = Score(scorer="rouge", value=0.4)
RUN = a_run(
    passed(1, prompt="A text about trains.", attempts=[an_attempt(JUDGED_WELL, INFORMS)]),
    failed(2, prompt="A text about parks.", file="Other/other_tests.yaml"),
    failed(3, attempts=[an_attempt(JUDGED_WELL), an_attempt(answer="", error="The stream ended too early.")]),
    unscored(4),
    awaiting(5),
    comparison=a_comparison(a_change(1, "better", "failed", "passed"), a_change(3, "worse", "passed", "failed")),
    gate=a_gate("failed", "The pass rate is 33 %, and 80 % are required."),
    repeat=2,
)


@asynccontextmanager
async def opened(browser: Browser, folder: Path, run: Run, **options: Any) -> AsyncGenerator[Page]:
    """The report in a window. Afterwards: nothing was asked for but the file, and the console is empty."""
    file = folder / "report.html"
    file.write_text(report.render(run), "utf-8")
    context = await browser.new_context(**{"viewport": WIDE, **options})
    context.set_default_timeout(WAIT)
    page = await context.new_page()
    trouble: list[str] = []
    requests: list[str] = []
    context.on("request", lambda request: requests.append(request.url))
    context.on("console", lambda message: trouble.append(message.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    await page.goto(file.as_uri())
    yield page
    await context.close()
    assert trouble == []
    assert [url for url in requests if url != "data:,"] == [file.as_uri()]


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser, tmp_path: Path) -> AsyncGenerator[Page]:
    async with opened(browser, tmp_path, RUN) as it:
        yield it


def nasty_run() -> Run:
    """A run with markup in every field that holds text."""
    score = Score(scorer=NASTY, value=0.1, passed=False, grade=NASTY, text=NASTY, error=NASTY)
    attempt = Attempt(answer=NASTY, error=NASTY, request_id=NASTY, generation_id=NASTY, scores=[score])
    case = CaseResult(
        id=NASTY,
        suite=NASTY,
        file=NASTY,
        prompt=NASTY,
        expected_result=NASTY,
        status="failed",
        reason=NASTY,
        attempts=[attempt, attempt],
    )
    change = a_change(1, "worse", "passed", "failed").model_copy(update={"id": NASTY})
    comparison = a_comparison(change).model_dump() | {
        "baseline_id": NASTY,
        "baseline_revision": NASTY,
        "sentence": NASTY,
    }
    gate_check = Check(thresholds=NASTY, name=NASTY, required=1, found=0, passed=False, sentence=NASTY)
    return a_run(
        case,
        case.model_copy(update={"file": "another", "attempts": []}),
        id=NASTY,
        canopy_version=NASTY,
        target=Target(url=NASTY, config_revision=NASTY, flags={NASTY: True}),
        judge_url=NASTY,
        comparison=BaselineComparison.model_validate(comparison),
        gate=Gate(verdict="failed", checks=[gate_check], sentence=NASTY),
    )


async def test_markup_in_any_field_is_shown_as_text_and_runs_nothing(browser: Browser, tmp_path: Path) -> None:
    async with opened(browser, tmp_path, nasty_run(), bypass_csp=True) as page:  # escaping has to do it alone
        await page.get_by_role("button", name="Open all").click()
        for place in ("main", "footer", ".verdict-sentence", ".checks", "#cases .text >> nth=0", "blockquote >> nth=0"):
            await expect(page.locator(place)).to_contain_text(NASTY)
        assert await page.evaluate("window.owned") is None
        assert await page.locator("script").count() == 1
        assert await page.locator("img, [onclick], [onload], [onerror]").count() == 0
        await page.get_by_label("Not passed by").select_option(label=NASTY)
        await expect(page.get_by_role("status")).to_have_text("1 of 2")


async def test_the_policy_lets_only_the_pages_own_script_run(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    sneaked = "<script>window.owned = 1</script><p style='color: red' onclick='1'>"
    file.write_text(report.render(RUN).replace("</main>", f"{sneaked}</main>"), "utf-8")
    window = await browser.new_page()
    await window.goto(file.as_uri())
    await expect(window.get_by_role("button", name="Open all")).to_be_visible()  # our script ran
    assert await window.evaluate("window.owned") is None
    await window.close()


async def test_the_verdict_comes_first_and_failures_before_the_rest(page: Page) -> None:
    verdict = page.get_by_role("region", name="Verdict")
    await expect(verdict).to_contain_text("The gate failed.")
    await expect(verdict).to_contain_text("The pass rate is 33 %, and 80 % are required.")
    assert await page.locator("main .card").first.get_attribute("class") == "card verdict negative"
    order = await page.locator("details.entry").evaluate_all("them => them.map(it => it.dataset.status)")
    assert order == ["failed", "failed", "unscored", "awaiting_review", "passed"]
    await expect(page.locator("details.entry").first).to_contain_text("Worse")


async def test_a_failure_opens_on_both_texts_with_what_differs_and_what_the_judge_said(page: Page) -> None:
    entry = page.locator("details.entry", has_text="A text about parks.")
    await entry.locator("summary").click()
    expected, generated = entry.get_by_role("group", name="Expected"), entry.get_by_role("group", name="Generated")
    assert await generated.locator("ins").all_inner_texts() == ["old", "mall"]
    assert "rail" in await expected.locator("del").all_inner_texts()
    await expect(entry.locator("blockquote")).to_have_text("It invents a mall.\nAnswer: D")
    await expect(entry.get_by_role("row", name="llm-as-judge::base")).to_contain_text("0.25")
    await page.get_by_label("Mark what differs").uncheck()
    await expect(generated.locator("ins").first).to_have_css("text-decoration-line", "none")


async def test_a_scorer_that_only_informs_passes_no_verdict(page: Page) -> None:
    await page.locator("details.passed summary").click()
    await expect(page.locator("details.passed").get_by_role("row", name="rouge")).to_contain_text("Only informs")
    await page.get_by_label("Not passed by").select_option("rouge")
    await expect(page.get_by_role("status")).to_have_text("0 of 5")


async def test_every_attempt_is_there(page: Page) -> None:
    entry = page.locator("details.entry", has_text="The stream ended too early.")
    await entry.locator("summary").click()
    await expect(entry.get_by_role("heading", name="Attempt 1 of 2")).to_be_visible()
    await expect(entry.get_by_label("Attempt 2")).to_contain_text("The stream ended too early.")


async def test_cases_are_found_by_status_scorer_change_suite_and_words(page: Page) -> None:
    status, visible = page.get_by_role("status"), page.locator("details.entry:visible")
    await page.get_by_label("Failed 2").check()
    await expect(status).to_have_text("2 of 5")
    await page.get_by_label("Search").fill("PARKS")
    await expect(visible).to_have_count(1)
    await page.get_by_label("Search").fill("nowhere to be found")
    await expect(page.get_by_text("No case is like that.")).to_be_visible()
    await page.get_by_label("Search").fill("")
    await page.get_by_label("All", exact=True).check()
    await expect(status).to_have_text("5")
    await page.get_by_label("Not passed by").select_option("llm-as-judge::base")
    await expect(visible).to_have_count(2)
    await page.get_by_label("Not passed by").select_option("")
    await page.get_by_label("Change").select_option("worse")
    await expect(visible).to_have_count(1)
    await page.get_by_label("Change").select_option("")
    await page.get_by_label("Suite").select_option("Other/other_tests.yaml")
    await expect(visible).to_have_count(1)


async def test_the_change_since_the_baseline_is_told_with_its_certainty(page: Page) -> None:
    section = page.get_by_role("region", name="Since the baseline")
    for words in ("1 better, 1 worse", "50 % → 50 %", "+0; 95 % interval \N{MINUS SIGN}60 to +60", "p = 1"):
        await expect(section).to_contain_text(words)


async def test_a_link_leads_to_its_case_and_opens_it(browser: Browser, tmp_path: Path) -> None:
    async with opened(browser, tmp_path, RUN) as page:
        name = RUN.cases[0].id
        await page.evaluate("name => location.hash = name", name)
        await expect(page.locator(f"details[id='{name}']")).to_have_attribute("open", "")


async def test_all_of_it_works_by_keyboard(page: Page) -> None:
    press = page.keyboard.press
    await press("Tab")
    await expect(page.get_by_role("link", name="Skip to the cases")).to_be_focused()
    await press("Enter")
    for name in ("Open all", "Close all"):
        await press("Tab")
        await expect(page.get_by_role("button", name=name)).to_be_focused()
    await press("Tab")
    await press("ArrowRight")
    await expect(page.get_by_role("status")).to_have_text("2 of 5")
    await press("Tab")
    await page.keyboard.type("parks")
    await expect(page.locator("details.entry:visible")).to_have_count(1)
    for _ in range(5):  # three selects, a switch, then the case
        await press("Tab")
    await press("Enter")
    await expect(page.locator("details.entry[open]")).to_contain_text("A text about parks.")


@pytest.mark.parametrize(("viewport", "scheme"), [(PHONE, "dark"), (WIDE, "light")])
async def test_the_report_is_for_everybody(browser: Browser, tmp_path: Path, viewport: Any, scheme: Any) -> None:
    wide = failed(9, prompt="m" * 400, reason="m" * 300, expected_result=RTL, attempts=[an_attempt(JUDGED_BADLY)])
    run = RUN.model_copy(update={"cases": [*RUN.cases, wide]})
    options = {"viewport": viewport, "color_scheme": scheme, "reduced_motion": "reduce"}
    # The policy would stop axe, which is put into the page as a script.
    async with opened(browser, tmp_path, run, **options, bypass_csp=True) as page:
        await page.get_by_role("button", name="Open all").click()
        await check(page)


async def test_on_paper_failures_are_whole_and_tools_are_gone(page: Page) -> None:
    await page.emulate_media(media="print")
    await expect(page.locator("details.failed blockquote").first).to_be_visible()
    await expect(page.locator("details.passed blockquote")).to_be_hidden()
    await expect(page.get_by_label("Search")).to_be_hidden()


async def test_without_scripts_every_case_can_be_read(browser: Browser, tmp_path: Path) -> None:
    async with opened(browser, tmp_path, RUN, java_script_enabled=False) as page:
        assert await page.locator("details.entry").count() == 5
        await page.locator("details.failed summary").first.click()
        await expect(page.locator("details.failed .text").first).to_be_visible()
        await expect(page.get_by_label("Search")).to_be_hidden()


async def test_a_thousand_cases_are_searched_at_once(browser: Browser, tmp_path: Path) -> None:
    cases = [failed(n, prompt=f"Case {n}. " + LONG[:500]) for n in range(1_000)]
    async with opened(browser, tmp_path, a_run(*cases)) as page:
        await page.get_by_label("Search").fill("case 77.")
        await expect(page.get_by_role("status")).to_have_text("1 of 1000")
        await page.get_by_label("Search").fill("")
        await expect(page.get_by_role("status")).to_have_text("1000")


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (a_run(), ["This run has no cases.", "No case has a verdict."]),
        (a_run(passed(), finished_at=None), ["The run was interrupted after 1 case.", "canopy evals run --resume"]),
        (a_run(awaiting(1), awaiting(2)), ["No case has a verdict.", "Awaiting review: 2 cases", "no verdict"]),
        (a_run(unscored()), ["1 case could not be scored", "The judge gave no grade.", "0 of 0"]),
        (a_run(failed(prompt=LONG, expected_result=LONG)), ["0 of 1 case passed.", "nothing was decided"]),
        (a_run(failed(prompt="\x00 \x1b \ud800")), ["␀ ␛ �"]),
    ],
)
async def test_any_run_makes_a_page(browser: Browser, tmp_path: Path, run: Run, words: list[str]) -> None:
    async with opened(browser, tmp_path, run) as page:
        for each in words:
            await expect(page.locator("main")).to_contain_text(each)
