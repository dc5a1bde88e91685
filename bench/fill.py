"""A database with any number of votes in it, made by plain SQL: through the API a million would take minutes."""

import asyncio
import os
import sqlite3
from collections.abc import Generator
from itertools import batched
from pathlib import Path

from canopy.store.engine.search_terms import first_place
from canopy.store.keys import text_digests
from canopy.store.opening import open_store

_HOUR = 3_600_000_000  # microseconds
_FIRST = 1_760_000_000_000_000  # when the first vote came, microseconds since the epoch
_APART = 2_000_000  # microseconds between two votes
_RATINGS = (("thumbs_up", 1), ("thumbs_down", -1))
_RESPONSE = "A summary that says what the text says, only shorter."
_TEXT = " The quick brown fox jumps over the lazy dog."
_COLUMNS = (
    "id",
    "series_id",
    "created_at",
    "updated_at",
    "source",
    "config_revision",
    "input_digest",
    "input_length",
    "response_length",
    "reasons",
    "input_text",
    "response_text",
    "search_place",
)


def place(number: int) -> tuple[int, str]:
    """The time and the id of a vote."""
    return _FIRST + number * _APART, f"fb_{number:032x}"


def fill(database: Path, votes: int, *, text_size: int, share_down: float, indexed: bool = True) -> None:
    """Put in `votes` votes, each on a text of its own of `text_size` characters, and their hourly counts.

    `share_down` of them are thumbs down. The files are as an idle server leaves them. With `indexed` they count as
    being in the index of searches, which doesn't find them; without, the server indexes them, for hours if many.
    """
    asyncio.run(_make_schema(database))
    with sqlite3.connect(database) as conn:
        for pragma in ("synchronous = OFF", "cache_size = -400000", "journal_mode = MEMORY"):
            conn.execute(f"PRAGMA {pragma}")
        indexes = conn.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'feedback' AND sql IS NOT NULL"
        ).fetchall()
        for name, _ in indexes:
            conn.execute(f"DROP INDEX {name}")
        for number, (value, sentiment) in enumerate(_RATINGS, 1):
            conn.execute(
                "INSERT INTO series (id, feature, name, kind, value, sentiment, prompt_id, model)"
                " VALUES (?, 'summarize', 'user_satisfaction', 'thumbs', ?, ?, '', '')",
                (number, value, sentiment),
            )
        names = ", ".join(_COLUMNS)
        marks = ", ".join("?" * len(_COLUMNS))
        for some in batched(_rows(votes, text_size, share_down, indexed=indexed), 20_000):
            conn.executemany(f"INSERT INTO feedback ({names}) VALUES ({marks})", some)  # noqa: S608 - the names above
        for _, statement in indexes:
            conn.execute(statement)
        conn.execute(
            "INSERT INTO feedback_counts (series_id, hour, n)"
            " SELECT series_id, updated_at - updated_at % ?, count(*) FROM feedback GROUP BY 1, 2",
            (_HOUR,),
        )
    conn.close()
    with sqlite3.connect(database) as conn:
        conn.execute("PRAGMA journal_mode = WAL")
    conn.close()
    os.sync()  # or else the first commits that are measured wait for this one's bytes


async def _make_schema(database: Path) -> None:
    store = open_store(f"sqlite:///{database}")
    await store.start()
    await store.close()


def _rows(votes: int, text_size: int, share_down: float, *, indexed: bool) -> Generator[tuple[object, ...]]:
    filler = (_TEXT * (text_size // len(_TEXT) + 1))[: text_size - 8]
    down = 0
    for number in range(votes):
        is_down = down < (number + 1) * share_down
        down += is_down
        text = f"{number:08}{filler}"
        when, key = place(number)
        yield (
            key,
            2 if is_down else 1,
            when,
            when,
            "HUMAN",
            "0" * 12,
            text_digests(text, _RESPONSE)[0],
            len(text),
            len(_RESPONSE),
            "[]",
            text,
            _RESPONSE,
            first_place(when) if indexed else None,
        )
