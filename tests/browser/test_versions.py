"""The pages of prompt versions: from the list to two side by side, and to one of them."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from canopy.generation.prompts import prompt_of
from canopy.store.opening import open_store
from tests.browser.conftest import opened, values
from tests.browser.test_access import EXTREMES, check
from tests.contract.store.records import HOUR, NOON, Clock, a_generation, a_vote
from tests.support.model_server import FakeModelServer
from tests.support.server import Server, running_server

VERSIONS = [
    (prompt_of("Summarize the text in detail, with every name and number that it has:"), 0, 14, 6),
    (prompt_of("Summarize the text in one paragraph:"), 400, 3, 9),
    (prompt_of("Summarize the text in detail, for people in a hurry:" + " Go on." * 200), 200, 30, 2),
]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def versioned(model_server: FakeModelServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    folder = tmp_path_factory.mktemp("versioned")
    store = open_store(f"sqlite:///{folder / 'canopy.db'}", clock=Clock())
    await store.start()
    for prompt, hour, good, bad in VERSIONS:
        for number in range(good + bad):
            at = NOON + (hour + 7 * number) * HOUR
            asked = a_generation(prompt_id=prompt.id, prompt_text=prompt.text, created_at=at)
            await store.generations.record(asked)
            rating = {"value": "thumbs_down", "sentiment": -1} if number < bad else {}
            await store.feedback.record(a_vote(asked, **rating))
    await store.close()
    summarize = {"model": "llama32", "prompt": VERSIONS[1][0].text, "prompt_b": VERSIONS[2][0].text}
    in_force = values(model_server, summarize=summarize, ab_testing={"enabled": True})
    async with running_server(folder, in_force) as server:
        yield server


@pytest.mark.parametrize(("viewport", "scheme"), EXTREMES)
async def test_from_the_list_to_two_side_by_side_to_one(
    browser: Browser, versioned: Server, viewport: Any, scheme: Any
) -> None:
    # The policy would stop axe, which is put into the page as a script.
    async with opened(browser, versioned, viewport=viewport, color_scheme=scheme, bypass_csp=True) as tab:
        page = await tab.open("/feedback/versions")
        await expect(page.get_by_text("In force: candidate, Prompt B")).to_be_visible()
        await check(page)
        for prompt, *_ in VERSIONS[:2]:
            await page.get_by_label(f"Compare {prompt.id[7:15]} with llama32").check()
        await page.get_by_role("button", name="Two side by side").click()
        beside = page.get_by_role("region", name="Two versions side by side")
        await expect(beside).to_be_in_viewport()
        await expect(beside).to_contain_text("People are less satisfied with the second, by 9 to 67 percentage points.")
        await expect(beside.get_by_role("region", name="Text of the second").locator("ins")).to_have_text(
            "one paragraph"
        )
        await check(page)
        await beside.get_by_role("link", name=VERSIONS[0][0].id[7:15]).click()
        await expect(page.get_by_role("heading", name="Prompt version")).to_be_visible()
        await expect(page.get_by_role("region", name="Text of the prompt")).to_contain_text("every name")
        await check(page)
        await page.get_by_role("link", name="All of them in Entries").click()
        await expect(page.locator("details.entry")).to_have_count(20)
