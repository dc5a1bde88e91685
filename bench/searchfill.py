"""Votes on texts that differ as people's do, in either engine and with the index of the searches filled, in bulk."""

import asyncio
import random
from collections.abc import Generator
from itertools import accumulate, batched
from typing import Any

from sqlalchemy import Connection, insert, text

from canopy.store.engine.search_terms import first_place, folded
from canopy.store.keys import text_digests
from canopy.store.opening import open_store
from canopy.store.tables import feedback, feedback_counts, series

_HOUR = 3_600_000_000  # microseconds
_FIRST = 1_760_000_000_000_000  # when the first vote came, microseconds since the epoch
_APART = 2_000_000  # microseconds between two votes
_VOCABULARY = 24_000
_SYLLABLES = [a + b for a in (*"bcdfghklmnprstvw", "st", "tr") for b in "aeiouä"]
_TOGETHER = 1_000  # votes in one transaction, in which the server waits for no more than half a minute

RARE, MEDIUM, SPLIT = "zanzibar", "quagmire", "reading between"
SPECIAL = {"mixed case": "GröẞENWAHN Umlaut", "CJK": "要約は短い文章", "emoji": "🙂🚀🎉 well done"}


def texts(votes: int) -> Generator[tuple[str, str]]:
    """An input and a response for each vote. What a search looks for is in the oldest, or in few beside them."""
    chance = random.Random(1)  # noqa: S311 - the same texts each time
    words = sorted({"".join(chance.choices(_SYLLABLES, k=chance.choice((2, 3, 3, 4)))) for _ in range(2 * _VOCABULARY)})
    chance.shuffle(words)
    words = words[:_VOCABULARY]
    weights = list(accumulate(1 / rank for rank in range(3, _VOCABULARY + 3)))  # as frequent as words are, by Zipf
    for number in range(votes):
        said = chance.choices(words, cum_weights=weights, k=chance.randint(20, 50))
        if number < len(SPECIAL):
            said[0] = list(SPECIAL.values())[number]
        elif number == len(SPECIAL):
            said[1] = RARE
            said[2] = SPLIT
        else:
            # The trigrams of `SPLIT` are in every vote, the text itself in one.
            said[2:4] = ["reading betw", "g between"]
        if number % 997 == 500:
            said[5] = MEDIUM
        middle = len(said) * 2 // 3
        yield " ".join(said[:middle]).capitalize() + ".", " ".join(said[middle:]).capitalize() + "."


def fill(url: str, votes: int) -> None:
    """Put in so many votes, in the order of their times, as an idle server leaves them: each in the index."""
    asyncio.run(_make_schema(url))
    store = open_store(url)
    database = store.executor.database
    lite = url.startswith("sqlite")
    engine = database.migrator  # which waits for a statement for as long as it takes
    with engine.begin() as conn:
        conn.execute(insert(series), [_label(number) for number in (1, 2)])
        if lite:
            conn.exec_driver_sql("PRAGMA cache_size = -400000")
        else:
            conn.execute(text("DROP INDEX ix_search_trigrams"))
    for some in batched(_rows(votes), _TOGETHER):
        with engine.begin() as conn:
            _insert(conn, some)
            database.index(
                conn, {row["search_place"]: folded(row["input_text"], row["response_text"], None) for row in some}
            )
    with engine.begin() as conn:
        counted = "SELECT series_id, updated_at - updated_at % :hour, count(*) FROM feedback GROUP BY 1, 2"
        conn.execute(text(f"INSERT INTO {feedback_counts.name} (series_id, hour, n) {counted}"), {"hour": _HOUR})
        if not lite:
            conn.execute(text("SET LOCAL maintenance_work_mem = '512MB'"))
            conn.execute(text("CREATE INDEX ix_search_trigrams ON search USING gin (trigrams)"))
    if not lite:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            conn.execute(text("VACUUM ANALYZE"))
    database.dispose()


def _insert(conn: Connection, rows: tuple[dict[str, Any], ...]) -> None:
    if conn.dialect.name == "sqlite":
        conn.execute(insert(feedback), rows)
        return
    names = list(rows[0])
    raw: Any = conn.connection.driver_connection
    with raw.cursor().copy(f"COPY feedback ({', '.join(names)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(list(row.values()))


async def _make_schema(url: str) -> None:
    store = open_store(url)
    await store.start()
    await store.close()


def _label(number: int) -> dict[str, Any]:
    value, sentiment = (("thumbs_up", 1), ("thumbs_down", -1))[number - 1]
    labels = {"feature": "summarize", "name": "user_satisfaction", "kind": "thumbs", "prompt_id": "", "model": ""}
    return {"value": value, "sentiment": sentiment, **labels}


def _rows(votes: int) -> Generator[dict[str, Any]]:
    for number, (asked, answered) in enumerate(texts(votes)):
        when = _FIRST + number * _APART
        yield {
            "id": f"fb_{number:032x}",
            "series_id": 1 + number % 2,
            "created_at": when,
            "updated_at": when,
            "source": "HUMAN",
            "config_revision": "0" * 12,
            "input_digest": text_digests(asked, answered)[0],
            "input_length": len(asked),
            "response_length": len(answered),
            "reasons": "[]",
            "input_text": asked,
            "response_text": answered,
            "search_place": first_place(when),
        }
