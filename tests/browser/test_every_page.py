"""Every page at every size: nothing scrolls sideways, axe finds nothing, and everything can be touched.

The pages are those of the routes, so that a new one is held to it. They have hundreds of votes on them, long
words, both directions of writing, and trouble; every disclosure is opened as well.
"""

from collections.abc import AsyncGenerator
from functools import cache
from pathlib import Path
from typing import Any

import axe_playwright_python  # type: ignore[import-untyped]  # the library has no types
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, expect

from canopy.api.access import RULES
from tests.browser.conftest import Tab, opened
from tests.browser.seeded import ARABIC, MARKDOWN, PROMPT, PROMPT_B, SESSION, UNBROKEN, Seeded, seeded_server
from tests.support.model_scripts import Script
from tests.support.model_server import FakeModelServer

# What GET answers to browsers as well as to programs, or is somebody else's page: Swagger's.
NO_PAGES = {
    *(
        "/feedback/ab",
        "/feedback/stats",
        "/feedback/export",
        "/feedback/file",
        "/openapi.json",
        "/experiments/current/decision",
        "/experiments/{experiment_id}/decision",
        "/experiments/{experiment_id}/cost",
        "/experiments/plan",
        "/feature-flags",
        "/identity",
    ),
    *("/healthz", "/readyz", "/metrics", "/ui/{version}/{name}", "/docs", "/docs/begin.js", "/docs/{name}"),
}
ROUTES = [rule.removeprefix("GET ") for rule in RULES if rule.startswith("GET ") and rule[4:] not in NO_PAGES]
STATES = [  # of the same pages
    "/feedback/entries?q=nothing+like+it",
    "/feedback?since=yesterday",
    "/nothing-here",
]
WIDTHS = [*range(320, 481), 640, 768, 1280]
# axe once for each in light; in dark the rules about colours, since no other looks at them.
SCREENS = [320, 390, 768, 1280]
COLOURS = ["color-contrast", "link-in-text-block"]

# A frame has its own width for media queries, and changes it without the browser's window: a hundredfold faster.
SHOWN = """async (path) => {
  const frame = document.createElement("iframe");
  frame.style.cssText = "border: 0; width: 320px; height: 800px";
  frame.src = path;
  document.body.replaceChildren(frame);
  const loaded = new Promise((done) => (frame.onload = done));
  const late = new Promise((_, fail) => setTimeout(fail, 30_000, Error("It is no page: put it into NO_PAGES.")));
  await Promise.race([loaded, late]);
  await new Promise((drawn) => setTimeout(drawn, 100));
}"""
SIDEWAYS = """(widths) => {
  const frame = document.querySelector("iframe"), its = frame.contentDocument, root = its.documentElement, found = [];
  const inside = (it) => {
    for (let at = it.parentElement; at && at !== root; at = at.parentElement) {
      if (frame.contentWindow.getComputedStyle(at).overflowX !== "visible") return true;
    }
    return false;
  };
  for (const opened of [false, true]) {
    if (opened) for (const it of its.querySelectorAll("details")) it.open = true;
    for (const width of widths.filter((it) => !opened || it % 32 === 0)) {
      frame.style.width = `${width}px`;
      if (root.scrollWidth <= width) continue;
      const beyond = (it) => it.getBoundingClientRect().right > width + 1 && !inside(it);
      const wide = [...its.body.querySelectorAll("*")].filter(beyond).map((it) => it.outerHTML.slice(0, 160));
      found.push([opened ? "opened" : "as it is", width, root.scrollWidth, wide.slice(-2)]);
    }
  }
  return found;
}"""
FINDINGS = """async (only) => {
  const rules = { "target-size": { enabled: true } };
  const options = only ? { runOnly: only } : { rules };
  const always = { resultTypes: ["violations"], preload: false, elementRef: true };
  const { violations } = await axe.run(document, { ...always, ...options });
  const found = (node) => [node.html.slice(0, 200), node.failureSummary];
  // In which order a model's headings stand is the model's affair.
  const ours = (it) => it.nodes.filter((node) => it.id !== "heading-order" || !node.element?.closest(".formatted"));
  return violations.flatMap((it) => ours(it).slice(0, 3).map((node) => [it.id, ...found(node)]));
}"""
SMALL = """() => [...document.querySelectorAll("button, select, textarea, input, summary, nav a, a.button")]
  .filter((it) => it.type !== "hidden" && it.checkVisibility({ contentVisibilityAuto: true }))
  .filter((it) => it.getBoundingClientRect().height < 44)
  .map((it) => it.outerHTML.slice(0, 160))"""

# Texts whose first letter is Arabic or Hebrew, and that stand like English.
LEFT = r"""() => {
  const walk = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT), found = [];
  for (let text = walk.nextNode(); text; text = walk.nextNode()) {
    const [first] = text.data.match(/\p{L}/u) ?? [];
    if (!first || !/[\p{Script=Arabic}\p{Script=Hebrew}]/u.test(first)) continue;
    if (text.parentElement.tagName === "OPTION") continue;
    const { direction, unicodeBidi } = getComputedStyle(text.parentElement);
    if (direction !== "rtl" && unicodeBidi !== "plaintext") found.push(text.parentElement.outerHTML.slice(0, 160));
  }
  return found;
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def seeded(model_server: FakeModelServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Seeded]:
    async with seeded_server(tmp_path_factory.mktemp("seeded"), model_server) as it:
        yield it


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def tab(browser: Browser, seeded: Seeded) -> AsyncGenerator[Tab]:
    # The policy would stop axe, which is put into the page as a script; half-faded colours are nobody's.
    async with opened(browser, seeded.server, bypass_csp=True, reduced_motion="reduce") as it:
        it.failures_expected = True  # among the pages are those of errors
        await it.page.context.route("**/*", _framed)
        await it.page.add_init_script(f"localStorage.setItem('canopy.session', '{SESSION}')")
        yield it


async def _framed(route: Route) -> None:
    """Let a page be shown in a frame, which Canopy forbids."""
    if route.request.resource_type != "document":
        await route.continue_()
        return
    response = await route.fetch()
    kept = {
        name: value
        for name, value in response.headers.items()
        if name not in {"x-frame-options", "content-security-policy"}
    }
    await route.fulfill(response=response, headers=kept)


@cache
def axe() -> str:
    return (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()


@pytest.mark.parametrize("address", [*ROUTES, *STATES])
async def test_no_page_scrolls_sideways_at_any_width(tab: Tab, seeded: Seeded, address: str) -> None:
    await tab.open("/healthz")
    await tab.page.evaluate(SHOWN, address.format(**seeded.ids))
    found = await tab.page.evaluate(SIDEWAYS, WIDTHS)
    assert found[:1] == [], f"and {len(found)} widths in all"


async def test_a_comparison_does_not_either_before_the_choice_and_after_it(tab: Tab, model: FakeModelServer) -> None:
    model.scripts.update({PROMPT: Script(tokens=(MARKDOWN,)), PROMPT_B: Script(tokens=(UNBROKEN,))})
    await tab.open("/healthz")
    await tab.page.evaluate(SHOWN, "/")
    page = tab.page.frame_locator("iframe")
    await page.get_by_label("Text to summarize").fill(ARABIC)
    await page.get_by_role("button", name="Summarize", exact=True).click()
    await page.get_by_role("group", name="Which response is better?").wait_for()
    assert await tab.page.evaluate(SIDEWAYS, WIDTHS) == []
    await page.get_by_role("button", name="B is better").click()
    await expect(page.get_by_text("Thanks, saved.")).to_be_visible()
    assert await tab.page.evaluate(SIDEWAYS, WIDTHS) == []


@pytest.mark.parametrize("address", [*ROUTES, *STATES])
async def test_axe_finds_nothing_all_can_be_touched_and_texts_stand_on_their_side(
    tab: Tab, seeded: Seeded, address: str
) -> None:
    page = tab.page
    await page.emulate_media(color_scheme="light")
    response = await page.goto(tab.origin + address.format(**seeded.ids), wait_until="networkidle")
    assert response is not None
    assert response.headers["content-type"].startswith("text/html"), "It is no page: put it into NO_PAGES."
    assert response.status < 300 or address in {*STATES, "/sign-in"}  # which is no page where nobody signs in
    await page.evaluate("for (const it of [...document.querySelectorAll('details')].slice(0, 2)) it.open = true")
    assert await page.evaluate(LEFT) == []
    await page.evaluate(axe())
    for width in SCREENS:
        await page.set_viewport_size({"width": width, "height": 800})
        assert await findings(page) == [], width
        assert await page.evaluate(SMALL) == [], width
        await page.emulate_media(color_scheme="dark")
        assert await findings(page, COLOURS) == [], f"{width} in the dark"
        await page.emulate_media(color_scheme="light")


async def findings(page: Page, only: list[str] | None = None) -> Any:
    return await page.evaluate(FINDINGS, only)
