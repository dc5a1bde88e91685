"""What a page holds can't take the server's memory, whichever route gives it."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import psutil
import pytest
import pytest_asyncio

from bench.fill import fill
from canopy.store.opening import open_store
from tests.contract.store.records import a_ballot, a_comparison
from tests.http.conftest import values
from tests.support.model_server import FakeModelServer
from tests.support.server import Server, running_server

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.own_server]

CHARS = 1_000_000
COMPARISONS = 20
# Each route that gives rows with whole texts, how many it has, and what its rows and its cursor are called.
ROUTES = [
    ("/feedback", 60, "feedback", "id", "cursor"),
    ("/feedback?limit=200", 60, "feedback", "id", "cursor"),
    ("/feedback?q=fox&limit=200", 60, "feedback", "id", "cursor"),
    ("/feedback?order=worst&limit=200", 30, "feedback", "id", "cursor"),
    ("/feedback/ab?limit=200", COMPARISONS, "entries", "id", "cursor"),
    ("/feedback/review?limit=50&state=all", 30, "cases", "feedback_id", "after"),
]


async def compare(database: Path) -> None:
    """Put in ballots on texts of a million characters."""
    store = open_store(f"sqlite:///{database}")
    await store.start()
    for number in range(COMPARISONS):
        comparison = await a_comparison(store, session_id=f"s{number}", input_text=f"{number:08}{'x' * CHARS}")
        await store.comparisons.record_ballot(a_ballot(comparison))
    await store.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def long_texts(model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    """A server with 60 votes and 20 ballots on texts of a million characters, as an older version took them."""
    folder: Path = tmp_path_factory.mktemp("long")
    await asyncio.to_thread(fill, folder / "canopy.db", 60, text_size=CHARS, share_down=0.5, indexed=False)
    await compare(folder / "canopy.db")
    async with running_server(folder, values(model)) as server:
        yield server


@pytest.mark.parametrize(("route", "count", "name", "key", "cursor"), ROUTES, ids=[it[0] for it in ROUTES])
async def test_a_page_of_long_texts_ends_early(
    long_texts: Server, route: str, count: int, name: str, key: str, cursor: str
) -> None:
    """Eight million bytes, and where to go on; every row comes once."""
    seen: list[str] = []
    async with httpx.AsyncClient(base_url=long_texts.url, timeout=120) as client:
        url: str | None = route
        while url is not None:
            answer = await client.get(url)
            page = answer.json()
            assert 0 < len(page[name]) <= 8
            assert len(answer.content) < 8_100_000
            seen += [it[key] for it in page[name]]
            url = f"{route}{'&' if '?' in route else '?'}{cursor}={page['next']}" if page["next"] else None
    assert len(seen) == len(set(seen)) == count


async def test_a_client_that_names_no_limit_gets_everything(model: FakeModelServer, tmp_path: Path) -> None:
    """Up to ten thousand entries, with where to go on; and none of it twice."""
    await asyncio.to_thread(fill, tmp_path / "canopy.db", 10_143, text_size=400, share_down=0.5)
    async with (
        running_server(tmp_path, values(model)) as server,
        httpx.AsyncClient(base_url=server.url, timeout=120) as client,
    ):
        first = (await client.get("/feedback")).json()
        assert first["total"] == 10_143
        rest = (await client.get("/feedback", params={"cursor": first["next"]})).json()
    assert len(first["feedback"]) > 5_000
    ids = [it["id"] for page in (first, rest) for it in page["feedback"]]
    assert len(ids) == len(set(ids)) == 10_143
    assert rest["next"] is None


async def test_dashboards_of_long_texts_at_once(long_texts: Server) -> None:
    """The page has the beginnings of entries' texts, however long these are, and three at once take little.

    The ballots on it are whole, and as many as have a million characters together: here one.
    """
    process = psutil.Process(long_texts.process.pid)
    async with httpx.AsyncClient(base_url=long_texts.url, timeout=120, headers={"Accept": "text/html"}) as client:
        await client.get("/feedback")  # templates and all
        before = process.memory_info().rss
        pages = await asyncio.gather(*(client.get("/feedback") for _ in range(3)))
        taken = process.memory_info().rss - before
        assert all(page.status_code == 200 and len(page.content) < 300_000 + CHARS for page in pages)
        assert taken < 40 * CHARS
        entry = pages[0].text.partition('id="fb_')[2].partition('"')[0]
        whole = await client.get(f"/feedback/fb_{entry}")
        assert whole.status_code == 200
        assert len(whole.content) > CHARS
