"""What a new user meets first: a server with nothing set, its embedded model, and one button."""

from pathlib import Path

from playwright.async_api import Browser, expect

from canopy.config.feature_values import EMBEDDED_MODEL_DEFAULTS
from canopy.generation.prompts import prompt_of
from canopy.inference.embedded import END_TOKEN_BIAS, MODEL
from tests.browser.conftest import PHONE, opened
from tests.browser.test_access import check
from tests.support.server import running_server


async def test_one_click_gets_a_first_summary_of_which_everything_is_said(browser: Browser, tmp_path: Path) -> None:
    its = EMBEDDED_MODEL_DEFAULTS
    options = {"viewport": PHONE, "bypass_csp": True, "reduced_motion": "reduce"}
    async with (
        running_server(tmp_path, {"feedback": {"enabled": True}}) as server,
        opened(browser, server, **options) as tab,
    ):
        page = await tab.open()
        await expect(page.get_by_text("a very small model that comes with Canopy")).to_be_visible()
        await page.get_by_text("How it is asked").click()
        await expect(page.get_by_text(f"Temperature {its.temperature:g}, at most {its.max_tokens}")).to_be_visible()
        await expect(page.get_by_text(its.prompt)).to_be_visible()
        await check(page)

        await page.get_by_role("button", name="Try a sample text").click()
        await page.get_by_role("group", name="Was this summary helpful?").wait_for()
        text = await page.get_by_label("Text to summarize").input_value()
        summary = await page.locator("[data-output]").inner_text()
        assert 0 < len(summary) < len(text) / 2
        await page.get_by_role("button", name="Yes", exact=True).click()
        await expect(page.get_by_text("Thanks, saved.")).to_be_visible()
        await check(page)

        ask = page.context.request
        (entry,) = (await (await ask.get(f"{server.url}/feedback", headers={"accept": "application/json"})).json())[
            "feedback"
        ]
        asked = {"temperature": its.temperature, "max_tokens": its.max_tokens}
        assert (entry["prompt"], entry["input_text"], entry["model"]) == (its.prompt, text, MODEL)
        assert entry["parameters"] == asked | {"adapted": END_TOKEN_BIAS}
        flags = await (await ask.get(f"{server.url}/feature-flags?details=true")).json()
        produced = {"model": MODEL, "prompt_id": prompt_of(its.prompt).id, **asked}
        assert flags["features"]["summarize"].items() >= produced.items()
