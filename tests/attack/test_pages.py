"""What a page holds can't take the server's memory."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import psutil
import pytest
import pytest_asyncio

from bench.fill import fill
from tests.http.conftest import values
from tests.support.model_server import FakeModelServer
from tests.support.server import Server, running_server

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.own_server]

CHARS = 1_000_000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def long_texts(model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    """A server with 60 votes on texts of a million characters, as an older version took them."""
    folder: Path = tmp_path_factory.mktemp("long")
    await asyncio.to_thread(fill, folder / "canopy.db", 60, text_size=CHARS, share_down=0.5)
    async with running_server(folder, values(model)) as server:
        yield server


async def test_a_page_of_long_texts_ends_early(long_texts: Server) -> None:
    """Eight million characters, and where to go on; every entry comes once."""
    seen: list[str] = []
    async with httpx.AsyncClient(base_url=long_texts.url, timeout=120) as client:
        cursor: str | None = ""
        while cursor is not None:
            answer = await client.get("/feedback", params={"limit": 200, "cursor": cursor})
            page = answer.json()
            assert 0 < len(page["feedback"]) <= 8
            assert len(answer.content) < 9 * CHARS
            seen += [it["id"] for it in page["feedback"]]
            cursor = page["next"]
    assert len(seen) == len(set(seen)) == 60


async def test_dashboards_of_long_texts_at_once(long_texts: Server) -> None:
    """The page has the beginnings of texts, however long these are, and three at once take little."""
    process = psutil.Process(long_texts.process.pid)
    async with httpx.AsyncClient(base_url=long_texts.url, timeout=120, headers={"Accept": "text/html"}) as client:
        await client.get("/feedback")  # templates and all
        before = process.memory_info().rss
        pages = await asyncio.gather(*(client.get("/feedback") for _ in range(3)))
        taken = process.memory_info().rss - before
        assert all(page.status_code == 200 and len(page.content) < 300_000 for page in pages)
        assert taken < 40 * CHARS
        entry = pages[0].text.partition('id="fb_')[2].partition('"')[0]
        whole = await client.get(f"/feedback/fb_{entry}")
        assert whole.status_code == 200
        assert len(whole.content) > CHARS
