"""Pages for people: what the server takes to answer, and when Chromium paints, in a small and in a large database."""

import asyncio
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, async_playwright

from bench.client import ask, request
from bench.figures import Bound, Figure, middle
from bench.pagefill import EXPERIMENT, fill
from bench.processes import Program, canopy
from tests.support.chromium import launch_options
from tests.support.postgres import PostgresServer, PostgresUnavailable

_SMALL, _LARGE, _QUICK = 1_000, 1_000_000, 50_000
_FIRST_PAINT = 300  # ms at most
_PAGES = {"Overview": "/feedback", "Entries": "/feedback/entries", "an experiment": f"/experiments/{EXPERIMENT}"}
_PAINTED = """() => new Promise((tell) => new PerformanceObserver((list) => {
    const painted = list.getEntriesByName("first-contentful-paint")[0];
    if (painted) tell(painted.startTime);
}).observe({ type: "paint", buffered: true }))"""


@dataclass(slots=True)
class _Side:
    """A server, and the milliseconds that each of its pages took."""

    server: Program
    answered: dict[str, list[float]] = field(default_factory=dict)
    painted: dict[str, list[float]] = field(default_factory=dict)


def measure(folder: Path, *, quick: bool) -> list[Figure]:
    """SQLite, then PostgreSQL."""
    votes, rounds = (_QUICK, 3) if quick else (_LARGE, 9)
    figures = []
    for engine, urls in _databases(folder):
        with ExitStack() as stack:
            sides = []
            for size, url in zip((_SMALL, votes), urls, strict=True):
                fill(url, size)
                sides.append(_Side(stack.enter_context(canopy(folder, {}, store_url=url))))
            asyncio.run(_look_in_turns(sides, rounds))
        figures += _figures(engine, votes, *sides)
    return figures


async def _look_in_turns(sides: Sequence[_Side], rounds: int) -> None:
    async with _chromium() as browser:
        tabs = [None if browser is None else await _tab(browser) for _ in sides]
        for turn in range(rounds + 1):
            for side, tab in zip(sides, tabs, strict=True):
                for page, path in _PAGES.items():
                    answered = await ask(side.server.port, request("GET", path, accept="text/html")) * 1e3
                    painted = None if tab is None else await _paint(tab, side.server.url + path)
                    if turn:  # the first one warms up
                        side.answered.setdefault(page, []).append(answered)
                        if painted is not None:
                            side.painted.setdefault(page, []).append(painted)


async def _tab(browser: Browser) -> Page:
    """A tab that keeps no file of the page before: each of its pages is the first one that it shows."""
    tab = await browser.new_page(viewport={"width": 1280, "height": 800})
    control = await tab.context.new_cdp_session(tab)
    await control.send("Network.setCacheDisabled", {"cacheDisabled": True})
    return tab


async def _paint(tab: Page, url: str) -> float:
    """Milliseconds from the press on a link to the first content on the screen."""
    await tab.goto(url)
    return float(await tab.evaluate(_PAINTED))


def _figures(engine: str, votes: int, small: _Side, large: _Side) -> list[Figure]:
    figures = []
    for page in _PAGES:
        for what, less, more in (
            ("answer", small.answered, large.answered),
            ("first paint", small.painted, large.painted),
        ):
            if page in more:
                bound = Bound(_FIRST_PAINT) if what == "first paint" or not large.painted else None
                name = f"{engine}, {page} of {votes:,}: {what}"
                figures.append(Figure(name, middle(more[page]), "ms", middle(less[page]), f"{_SMALL:,} votes", bound))
    return figures


@asynccontextmanager
async def _chromium() -> AsyncGenerator[Browser | None]:
    try:
        options = launch_options()
    except pytest.skip.Exception as why:
        print(f"First paint is left out: {why}")
        yield None
        return
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(**options)
        yield browser
        await browser.close()


def _databases(folder: Path) -> Generator[tuple[str, Sequence[str]]]:
    """Each engine with the addresses of two databases."""
    yield "SQLite", [f"sqlite:///{folder / f'{size}.db'}" for size in ("small", "large")]
    try:
        with PostgresServer(fsync=False, settings={"max_wal_size": "2GB"}) as server:
            yield "PostgreSQL", [server.create_database() for _ in range(2)]
    except PostgresUnavailable as why:
        print(f"PostgreSQL is left out: {why}")
