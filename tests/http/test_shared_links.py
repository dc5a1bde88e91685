"""Addresses as people have them: behind a router, pasted, with days swapped, and decorated by a mail tool."""

import re
import unicodedata
from html import unescape

import httpx
import pytest

from tests.http.conftest import entries, lab_vote, vote

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGE = {"Accept": "text/html"}


@pytest.mark.parametrize("page", ["/feedback/entries", "/feedback/dataset"])
@pytest.mark.parametrize(
    ("forwarded", "origin"),
    [
        ({}, "http://canopy.localhost:8000"),
        ({"X-Forwarded-Proto": "https"}, "https://canopy.localhost:8000"),
        ({"X-Forwarded-Proto": "HTTPS, http", "X-Forwarded-Host": "c.example:443, x"}, "https://c.example"),
        ({"X-Forwarded-Host": "c.example/$(id)"}, "http://canopy.localhost:8000"),
    ],
)
async def test_a_command_to_copy_has_the_address_that_the_browser_knows(
    empty: httpx.AsyncClient, page: str, forwarded: dict[str, str], origin: str
) -> None:
    await vote(empty, lab_vote())
    answer = await empty.get(page, headers={**PAGE, "Host": "canopy.localhost:8000", **forwarded})
    commands = re.findall(r"curl -fsS [^<]*(https?://[^/]*)/feedback/", unescape(answer.text))
    assert commands
    assert set(commands) == {origin}


async def test_a_search_minds_neither_blanks_around_it_nor_how_marks_are_written(empty: httpx.AsyncClient) -> None:
    await vote(empty, lab_vote(input_text="Der Kapitän ging von Bord."))
    await vote(empty, lab_vote(input_text="Another."))
    for word, n in ((" kapitän\t", 1), (unicodedata.normalize("NFD", "kapitän"), 1), ("  ", 2)):
        listed = await entries(empty, q=word)
        file = (await empty.get("/feedback/file", params={"q": word, "format": "json"})).json()
        cases = (await empty.get("/feedback/review", params={"q": word})).json()
        export = (await empty.get("/feedback/export", params={"q": word})).text
        assert (len(listed), len(file), len(cases["cases"]), export.count("- prompt:")) == (n,) * 4, word
        page = (await empty.get("/feedback/entries", params={"q": word}, headers=PAGE)).text
        assert ("<mark>Kapitän</mark>" in page) == (n == 1)


@pytest.mark.parametrize("path", ["/feedback", "/feedback/entries", "/feedback/review", "/feedback/dataset"])
async def test_days_that_are_swapped_get_a_page_that_leads_on(client: httpx.AsyncClient, path: str) -> None:
    query = {"since": "2026-02-03", "until": "2026-02-01", "q": "a b", "rating": " negative"}
    answer = await client.get(path, params=query, headers=PAGE)
    assert answer.status_code == 422
    assert "The day in “From” is after the one in “To”" in answer.text
    assert "since" not in answer.text
    links = [unescape(it) for it in re.findall(r'href="([^"]*)"', answer.text)]
    assert f"{path}?q=a+b&rating=+negative" in links  # the way back
    assert "/feedback/dataset?q=a+b&rating=negative" in [_sorted(it) for it in links]  # the tabs
    assert len(re.findall(r'aria-current="page"', answer.text.partition('class="sections"')[2])) == 1
    without = await client.get(f"{path}?q=a+b&rating=+negative", headers=PAGE)
    assert without.status_code == 200


def _sorted(link: str) -> str:
    path, _, query = link.partition("?")
    return f"{path}?{'&'.join(sorted(query.split('&')))}"


async def test_what_a_mail_tool_appends_to_a_page_is_dropped_and_nothing_else_is(client: httpx.AsyncClient) -> None:
    decorated = "?q=a+b&utm_source=chat&utm_medium=x&fbclid=1&gclid=2"
    for path in ("/feedback", "/feedback/entries", "/feedback/review", "/feedback/dataset", "/feedback/versions"):
        answer = await client.get(path + decorated, headers=PAGE)
        assert (answer.status_code, answer.headers.get("location")) == (307, f"{path}?q=a+b"), path
        assert (await client.get(f"{path}?q=a&utm=1", headers=PAGE)).status_code == 422
    assert (await client.get("/feedback?utm_source=chat")).status_code == 422
    for path in ("/feedback/export", "/feedback/file"):
        assert (await client.get(path + decorated, headers=PAGE)).status_code == 422
