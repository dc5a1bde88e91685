"""A person signs in with a token, sees what their role may see, and signs out."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio
import yaml
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import PHONE, WIDE, Tab, opened, summarize, values
from tests.browser.test_access import check
from tests.http.signing_in import credentials, secret_file
from tests.support.model_server import FakeModelServer
from tests.support.server import Server, running_server

TOKENS = {"ana": "ana-0123456789abcdef", "ben": "ben-0123456789abcdef"}
SCREENS = [(PHONE, "light"), (PHONE, "dark"), (WIDE, "light"), (WIDE, "dark")]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def guarded(
    model_server: FakeModelServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[tuple[Server, Path]]:
    folder = tmp_path_factory.mktemp("guarded")
    tokens = folder / "tokens.yaml"
    tokens.write_text(
        yaml.safe_dump(
            [{"name": "ana", "role": "reviewer", "token": TOKENS["ana"]}, {"name": "ben", "token": TOKENS["ben"]}]
        )
    )
    env = {"CANOPY_AUTH_TOKENS_FILE": str(tokens), "CANOPY_CONFIG_POLL_INTERVAL_SECONDS": "0.05"}
    async with running_server(folder, values(model_server, auth={"mode": "token"}), env=env) as server:
        yield server, tokens


@pytest_asyncio.fixture(loop_scope="session")
async def tab(browser: Browser, guarded: tuple[Server, Path]) -> AsyncGenerator[Tab]:
    async with opened(browser, guarded[0]) as it:
        it.failures_expected = True  # a refused token is a refused request
        yield it


async def sign_in(page: Page, name: str) -> None:
    await page.get_by_label("Token").fill(f" {TOKENS[name]} ")  # as it comes out of a mail
    await page.get_by_role("button", name="Sign in").click()


async def test_a_page_asks_for_a_token_and_then_is_the_page_that_was_wanted(tab: Tab) -> None:
    page = await tab.open("/feedback?rating=negative")
    await expect(page).to_have_url(f"{tab.origin}/sign-in?next=/feedback%3Frating%3Dnegative")
    await expect(page.get_by_label("Token")).to_be_focused()
    await page.keyboard.type("a wrong one")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("This token is unknown, or no longer valid.")
    await sign_in(page, "ana")
    await expect(page).to_have_url(f"{tab.origin}/feedback?rating=negative")
    await expect(page.get_by_text("ana", exact=True)).to_be_visible()
    await page.get_by_role("link", name="Summarization").click()
    await summarize(page)

    (cookie,) = await page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["secure"]) == (True, "Strict", False)
    assert await page.evaluate("document.cookie") == ""

    await page.get_by_role("button", name="Sign out").click()
    await expect(page).to_have_url(f"{tab.origin}/sign-in")
    assert await page.context.cookies() == []
    assert await page.evaluate("Object.keys(sessionStorage).filter((key) => key.startsWith('canopy.'))") == []
    await tab.open("/")
    await expect(page.get_by_label("Token")).to_be_visible()


async def test_a_user_summarizes_and_votes_and_is_not_shown_what_reviewers_read(tab: Tab) -> None:
    page = await tab.open("/")
    await sign_in(page, "ben")
    await summarize(page)
    await page.get_by_role("button", name="Yes", exact=True).click()
    await expect(page.get_by_text("Thanks, saved.")).to_be_visible()
    await page.get_by_role("button", name="Take it back").click()
    await expect(page.get_by_text("Taken back")).to_be_visible()
    assert await page.get_by_role("link", name="Feedback").count() == 0
    await tab.open("/feedback")
    await expect(page.get_by_role("heading", name="Not allowed")).to_be_visible()
    await expect(page.get_by_role("link", name="To the first page")).to_be_visible()


async def test_a_link_from_another_site_finds_who_is_signed_in(tab: Tab) -> None:
    page = await tab.open("/")
    await sign_in(page, "ana")
    await expect(page.get_by_text("ana", exact=True)).to_be_visible()
    # A page without an origin is another site: its links bring no cookie that is SameSite=Strict.
    await page.goto(f"data:text/html,<a href='{tab.origin}/feedback'>there</a>")
    await page.get_by_role("link").click()
    await expect(page.get_by_role("heading", name="Feedback", exact=True)).to_be_visible()
    await expect(page).to_have_url(f"{tab.origin}/feedback")


@pytest.mark.parametrize("target", ["//example.com/", "https://example.com/", "/\\example.com", "/\t/example.com"])
async def test_signing_in_leads_nowhere_else(tab: Tab, target: str) -> None:
    page = tab.page
    await page.goto(f"{tab.origin}/sign-in")
    await page.evaluate("(next) => location.assign('/sign-in?' + new URLSearchParams({ next }))", target)
    await page.wait_for_url("**/sign-in?next=**")
    await sign_in(page, "ana")
    await expect(page).to_have_url(f"{tab.origin}/")


async def test_a_token_that_is_removed_ends_what_an_open_page_may_do(tab: Tab, guarded: tuple[Server, Path]) -> None:
    server, tokens = guarded
    page = await tab.open("/")
    await sign_in(page, "ben")
    await expect(page.get_by_label("Text to summarize")).to_be_visible()
    before = tokens.read_text()
    reloads = len(server.events("tokens_reloaded"))
    tokens.write_text("[]")
    await server.event("tokens_reloaded", reloads + 1)
    await page.get_by_label("Text to summarize").fill("A text.")
    await page.get_by_role("button", name="Summarize").click()
    await expect(page.get_by_role("alert")).to_contain_text("You are signed out.")
    await expect(page.get_by_role("button", name="Try again")).to_have_count(0)
    tokens.write_text(before)
    await server.event("tokens_reloaded", reloads + 2)
    await page.get_by_role("link", name="Sign in again").click()
    await sign_in(page, "ben")
    await expect(page).to_have_url(f"{tab.origin}/")
    await expect(page.get_by_label("Text to summarize")).to_have_value("A text.")
    await expect(page.get_by_role("alert")).to_contain_text("You were signed out.")
    await page.get_by_role("button", name="Try again").click()
    await page.get_by_role("group", name="Was this summary helpful?").wait_for()


@pytest.mark.parametrize("screen", SCREENS)
async def test_the_pages_are_for_everybody(
    browser: Browser, guarded: tuple[Server, Path], screen: tuple[dict[str, int], str]
) -> None:
    viewport, scheme = screen
    # The policy would stop axe, which is put into the page as a script.
    options = {"viewport": viewport, "color_scheme": scheme, "bypass_csp": True, "reduced_motion": "reduce"}
    async with opened(browser, guarded[0], **options) as tab:
        tab.failures_expected = True
        page = await tab.open("/feedback")
        await check(page)
        await page.get_by_label("Token").fill("wrong")
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("alert")).to_contain_text("unknown")
        await check(page)
        await sign_in(page, "ana")
        await expect(page.get_by_role("button", name="Sign out")).to_be_visible()
        await check(page)


async def test_behind_a_proxy_the_page_says_who_is_signed_in_and_links_to_its_way_out(
    browser: Browser, model: FakeModelServer, tmp_path: Path
) -> None:
    auth = {"mode": "proxy", "sign_out_path": "/oauth2/sign_out"}
    async with (
        running_server(tmp_path, values(model, auth=auth), env=secret_file(tmp_path)) as server,
        opened(browser, server, extra_http_headers=credentials("proxy", "ana")) as tab,
    ):
        page = await tab.open("/")
        await expect(page.get_by_text("ana", exact=True)).to_be_visible()
        await expect(page.get_by_role("link", name="Sign out")).to_have_attribute("href", "/oauth2/sign_out")
        await summarize(page)
