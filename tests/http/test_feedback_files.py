"""GET /feedback/file: a selection of votes as CSV and as JSON."""

import asyncio
import csv
import io
import json
from typing import Any

import httpx
import pytest

from canopy.feedback.files import COLUMNS
from tests.http.conftest import entries, lab_vote, vote

pytestmark = pytest.mark.asyncio(loop_scope="session")

EVERY_CHARACTER = "".join(map(chr, range(1, 0x250))) + "\u2028\u2029\ufeff\ufffe\uffff👩‍👩‍👧‍👦\n---\n\ttab\r\n\x85"


async def rows(http: httpx.AsyncClient, **query: Any) -> list[dict[str, str]]:
    answer = await http.get("/feedback/file", params={**query, "format": "csv"})
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.content.decode(), newline="")))


async def test_a_file_has_what_the_list_has_in_its_order(empty: httpx.AsyncClient) -> None:
    await vote(
        empty, lab_vote(input_text="one", rating=2, reasons=["too_long", "off_topic"], comment='"Why?", they ask')
    )
    await vote(empty, lab_vote(input_text=EVERY_CHARACTER, comment=EVERY_CHARACTER, suggestion="Shorter."))
    listed = await entries(empty)
    answer = await empty.get("/feedback/file", params={"format": "json"})
    assert answer.json() == listed
    assert [json.loads(line.rstrip(",")) for line in answer.text.splitlines()[1:-1]] == listed
    assert answer.headers["content-disposition"] == 'attachment; filename="canopy-feedback.json"'
    table = await rows(empty)
    assert list(table[0]) == list(COLUMNS)
    for row, entry in zip(table, listed, strict=True):
        for name in ("id", "timestamp", "input_text", "response_text", "comment", "suggestion", "name", "source"):
            assert row[name] == (entry[name] or ""), name
    assert (table[1]["rating"], table[1]["reasons"]) == ("2", "too_long, off_topic")


async def test_csv_is_that_of_the_standard_and_of_spreadsheets(empty: httpx.AsyncClient) -> None:
    formulas = ["=1+1", " @SUM(A1)", "-2", "+3", "\tx", "＝1", "\u200b=1"]  # noqa: RUF001  # full width
    for text in [*formulas, "a=1"]:
        await vote(empty, lab_vote(input_text=text))
    answer = await empty.get("/feedback/file", params={"format": "csv", "bom": "true"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="canopy-feedback.csv"'
    assert answer.content.startswith(b"\xef\xbb\xbfid,timestamp,")
    assert answer.content.count(b"\r\n") == 1 + len(formulas) + 1
    texts = [row["input_text"] for row in reversed(await rows(empty))]
    assert texts == [*(f"'{text}" for text in formulas), "a=1"]


async def test_a_file_takes_every_filter_of_the_list_and_refuses_what_the_list_refuses(
    empty: httpx.AsyncClient,
) -> None:
    for number in range(12):
        said = {"reasons": ["too_long"]} if number % 2 else {"comment": "Why?"}
        await vote(empty, lab_vote(input_text=f"text {number}", rating=1 + number % 5, **said))
    for query, matches in (
        ({"score": "1-2"}, 6),
        ({"reason": "too_long"}, 6),
        ({"q": "text 1"}, 3),
        ({"comment": "with", "rating": "negative"}, 3),
        ({"since": "2020-01-01"}, 12),
        ({"source": "judge"}, 0),
    ):
        listed = [entry["id"] for entry in await entries(empty, **query)]
        assert len(listed) == matches
        assert [row["id"] for row in await rows(empty, **query)] == listed
        found = (await empty.get("/feedback/file", params={**query, "format": "json"})).json()
        assert [entry["id"] for entry in found] == listed
    for wrong in ({"since": "yesterday"}, {"format": "xml"}, {"limit": "3"}, {"order": "worst"}):
        refused = await empty.get("/feedback/file", params=wrong)
        assert refused.status_code == 422
        assert next(iter(wrong)) in refused.text


async def test_a_selection_without_votes_is_a_file_as_well(empty: httpx.AsyncClient) -> None:
    assert await rows(empty) == []
    assert (await empty.get("/feedback/file", params={"format": "json", "q": "nothing"})).json() == []


async def test_a_large_selection_comes_in_pieces_each_vote_once(empty: httpx.AsyncClient) -> None:
    """More than are looked for at once, with texts of which few are read at once."""
    long = "many words " * 2_000

    async def cast(number: int) -> None:
        await vote(empty, lab_vote(input_text=f"{number} {long if number % 10 == 0 else ''}"))

    for start in range(0, 1_100, 50):
        await asyncio.gather(*(cast(start + offset) for offset in range(50)))
    for query in ({}, {"q": "0"}):
        found = (await empty.get("/feedback/file", params={**query, "format": "json"}, timeout=60)).json()
        numbers = [int(entry["input_text"].split()[0]) for entry in found]
        assert sorted(numbers) == [it for it in range(1_100) if not query or "0" in str(it)]
    pieces = 0
    async with empty.stream("GET", "/feedback/file") as answer:  # given up in the middle
        async for _ in answer.aiter_raw():
            pieces += 1
            if pieces == 2:
                break
    assert (await empty.get("/feedback?limit=1")).status_code == 200
