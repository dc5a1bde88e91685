"""A database as a long year leaves it, in either engine, made inside the database: answers, votes and an experiment.

Each vote is on a recorded answer of its own, under eight prompts that were live one after the other. For every ten
votes there is a ballot of the one experiment.
"""

import asyncio
import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, insert, text

from canopy.generation.prompts import prompt_of
from canopy.store.engine.search_terms import PLACE_BITS
from canopy.store.opening import open_store
from canopy.store.tables import experiments, generation_counts, prompts, series

EXPERIMENT = "exp_" + "b" * 16
_PER_BALLOT = 10  # votes
_YEAR = 365 * 86_400_000_000  # microseconds
_HOUR = 3_600_000_000  # microseconds
_PROMPTS = [prompt_of(f"Summarize the text in {count} sentences, for people in a hurry:") for count in range(2, 10)]
_MODEL = "llama32"
_FILLER = "The quick brown fox jumps over the lazy dog, and the committee met on Tuesday to agree on the plan. " * 8
_COUNTS = ("feedback_counts", "generation_counts", "ballot_counts")
_TABLES = ("generations", "feedback", "comparisons", "review_items", *_COUNTS)

_NUMBERS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :rows)",
    "postgresql": "WITH n(i) AS (SELECT generate_series(CAST(0 AS bigint), :rows - 1))",
}
_HEX = {"sqlite": "printf('%0{digits}x', {number})", "postgresql": "lpad(to_hex({number}), {digits}, '0')"}
_INDEXES = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name = :table",
    "postgresql": "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = :table"
    " AND indexname NOT IN (SELECT conname FROM pg_constraint)",
}

# Each bad vote is on a text of its own, which waits for a reviewer.
_QUEUE = """
INSERT INTO review_items (input_digest, feature, state, severity, bad_at, people, judges, wrong, revision)
SELECT input_digest, 'summarize', 'waiting', 7, updated_at, 1, 0, 0, 0
FROM feedback JOIN series ON series.id = series_id WHERE sentiment < 0
"""
_COUNT_QUEUE = """
INSERT INTO review_counts (feature, state, severity, n, verdicts)
SELECT feature, state, severity, count(*), sum(people) FROM review_items GROUP BY 1, 2, 3
"""


def fill(url: str, votes: int) -> None:
    """Put in so many votes, the last of them of this minute, as an idle server leaves them.

    They count as indexed for searches, lest the server begin to index them; the index itself stays empty.
    """
    asyncio.run(_make_schema(url))
    database = open_store(url).executor.database
    engine = database.migrator  # which waits for a statement for as long as it takes
    with engine.begin() as conn:
        if conn.dialect.name == "sqlite":
            conn.exec_driver_sql("PRAGMA cache_size = -400000")
        else:
            conn.execute(text("SET LOCAL session_replication_role = replica"))  # no look at each foreign key
            conn.execute(text("SET LOCAL maintenance_work_mem = '512MB'"))
        with _without_indexes(conn):
            _insert(conn, votes)
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            conn.execute(text("VACUUM ANALYZE"))
    database.dispose()
    os.sync()  # or else what is measured waits for this one's bytes


async def _make_schema(url: str) -> None:
    store = open_store(url)
    await store.start()
    await store.close()


@contextmanager
def _without_indexes(conn: Connection) -> Generator[None]:
    """Take the tables' indexes away and make them again: in one go that takes a fraction."""
    found = [
        (name, statement)
        for table in _TABLES
        for name, statement in conn.execute(text(_INDEXES[conn.dialect.name]), {"table": table}).all()
    ]
    for name, _ in found:
        conn.exec_driver_sql(f"DROP INDEX {name}")
    yield
    for _, statement in found:
        conn.exec_driver_sql(statement)


def _insert(conn: Connection, votes: int) -> None:
    end = time.time_ns() // 1000
    known = {"votes": votes, "first": end - _YEAR, "apart": _YEAR // votes, "filler": _FILLER, "model": _MODEL}
    conn.execute(insert(prompts), [{"prompt_id": it.id, "text": it.text} for it in _PROMPTS])
    conn.execute(insert(series), [_label(number) for number in range(2 * len(_PROMPTS))])
    conn.execute(insert(experiments), [_experiment(end)])
    _fill_table(conn, "generations", _generation(_Hex(conn)), votes, known)
    _fill_table(conn, "feedback", _vote(_Hex(conn)), votes, known)
    _fill_table(conn, "comparisons", _ballot(_Hex(conn)), votes // _PER_BALLOT, known)
    conn.execute(
        text(
            "INSERT INTO feedback_counts (series_id, hour, n)"
            " SELECT series_id, updated_at - updated_at % :hour, count(*) FROM feedback GROUP BY 1, 2"
        ),
        {"hour": _HOUR},
    )
    _count_generations(conn)
    _count_ballots(conn)
    conn.execute(text(_QUEUE))
    conn.execute(text(_COUNT_QUEUE))


def _fill_table(conn: Connection, table: str, columns: dict[str, str], rows: int, known: dict[str, Any]) -> None:
    """Insert rows whose columns are expressions over the row's number `i`, and over what is known."""
    names, values = ", ".join(columns), ", ".join(columns.values())
    insertion, numbers = f"INSERT INTO {table} ({names})", _NUMBERS[conn.dialect.name]
    statement = text(f"{insertion} {numbers} SELECT {values} FROM n")  # noqa: S608 - names and expressions of below
    used = {name: value for name, value in known.items() if name in statement.compile().params}
    conn.execute(statement, {**used, "rows": rows})


class _Hex:
    """Writes the expressions of hexadecimal numbers, and of ids made of them."""

    def __init__(self, conn: Connection) -> None:
        self._form = _HEX[conn.dialect.name]

    def __call__(self, digits: int, number: str = "i") -> str:
        return self._form.format(digits=digits, number=number)

    def key(self, prefix: str, number: str = "i") -> str:
        return f"'{prefix}_' || {self(32, number)}"


_AT = "CAST(:first + (i + 1) * :apart AS bigint)"
_LIVE = f"(i * {len(_PROMPTS)} / :votes)"  # number of the prompt that was live then


def _generation(hexed: _Hex) -> dict[str, str]:
    choices = " ".join(f"WHEN {number} THEN '{it.id}'" for number, it in enumerate(_PROMPTS))
    return {
        "id": hexed.key("gen"),
        "trace_id": hexed(32),
        "created_at": _AT,
        "feature": "'summarize'",
        "status": "'completed'",
        "session_id": hexed(32, "i / 2"),
        "prompt_id": f"CASE {_LIVE} {choices} END",
        "model": ":model",
        "config_revision": hexed(12, _LIVE),
        "input_digest": hexed(32),
        "texts_digest": hexed(64),
        "input_length": "300",
        "response_length": "120",
        "finish_reason": "'stop'",
        "time_to_first_token": "0.3",
        "duration": "2.5",
        "input_tokens": "70",
        "output_tokens": "30",
        "parameters": """'{"temperature": 0.7, "max_tokens": 512}'""",
        "input_text": "substr(:filler, CAST(1 + i % 90 AS integer), 300)",
        "response_text": "substr(:filler, CAST(1 + i % 70 AS integer), 120)",
    }


def _vote(hexed: _Hex) -> dict[str, str]:
    return {
        "id": hexed.key("fb"),
        "slot": hexed(64),
        "series_id": f"1 + 2 * {_LIVE} + CASE WHEN i % 4 = 0 THEN 1 ELSE 0 END",
        "created_at": _AT,
        "updated_at": _AT,
        "generation_id": hexed.key("gen"),
        "source": "'HUMAN'",
        "session_id": hexed(32, "i / 2"),
        "config_revision": "'000000000000'",
        "input_digest": hexed(32),
        "input_length": "300",
        "response_length": "120",
        "reasons": """CASE WHEN i % 8 = 0 THEN '["inaccurate"]' ELSE '[]' END""",
        "comment": "CASE WHEN i % 16 = 0 THEN 'The date is wrong.' END",
        "search_place": f"{_AT} / 1000 * {1 << PLACE_BITS}",
    }


def _ballot(hexed: _Hex) -> dict[str, str]:
    """One of every ten votes' worth: the two answers are those to a vote's text and to the next one's."""
    at = f"CAST(:first + (i + 1) * {_PER_BALLOT} * :apart AS bigint)"
    preference = "CASE WHEN i % 10 = 0 THEN 'tie' WHEN i % 3 = 0 THEN 'a' ELSE 'b' END"
    return {
        "id": hexed.key("cmp"),
        "experiment_id": f"'{EXPERIMENT}'",
        "created_at": at,
        "expires_at": at,
        "trace_id": hexed(32),
        "session_id": hexed(32),
        "config_revision": "'000000000000'",
        "prompt_b_side": "CASE WHEN i % 2 = 0 THEN 'a' ELSE 'b' END",
        "generation_a": hexed.key("gen", f"i * {_PER_BALLOT}"),
        "generation_b": hexed.key("gen", f"i * {_PER_BALLOT} + 1"),
        "voter": hexed(64),
        "preference": preference,
        "first_preference": preference,
        "voted_at": at,
        "updated_at": at,
        "reasons": "'[]'",
        "counted": preference,
        "counted_at": at,
        "first_at": at,
    }


def _label(number: int) -> dict[str, Any]:
    """A series: of each prompt the good votes and then the bad ones."""
    value, sentiment = (("thumbs_up", 1), ("thumbs_down", -1))[number % 2]
    names = {"feature": "summarize", "name": "user_satisfaction", "kind": "thumbs", "model": _MODEL}
    return {"value": value, "sentiment": sentiment, "prompt_id": _PROMPTS[number // 2].id, **names}


def _experiment(end: int) -> dict[str, Any]:
    return {
        "id": EXPERIMENT,
        "created_at": end - _YEAR,
        "used_at": end,
        "prompt_id": _PROMPTS[0].id,
        "prompt_b_id": _PROMPTS[1].id,
        "model": _MODEL,
        "temperature": 0.7,
        "max_tokens": 512,
        "alpha": 0.05,
        "prior": 8.0,
        "delta": 0.05,
        "n_max": 100_000,
        "feature": "summarize",
    }


def _count_generations(conn: Connection) -> None:
    keys = "feature, prompt_id, model, config_revision"
    histogram = [column.name for column in generation_counts.c if column.name.startswith("first_token_")]
    names = ", ".join(["hour", keys, "completed, failed, stopped, compared, input_tokens, output_tokens", *histogram])
    zeros = ", ".join("count(*)" if number == len(histogram) // 2 else "0" for number in range(len(histogram)))
    conn.execute(
        text(
            f"INSERT INTO generation_counts ({names})"  # noqa: S608 - the table's own names
            f" SELECT created_at - created_at % :hour, {keys}, count(*), 0, 0, 0, sum(input_tokens),"
            f" sum(output_tokens), {zeros} FROM generations GROUP BY 1, {keys}"
        ),
        {"hour": _HOUR},
    )


def _count_ballots(conn: Connection) -> None:
    """Count each ballot as in force and as its voter's first: by the hour, and for all time or by the day."""
    for of_first, step in ((0, _HOUR), (1, _HOUR), (2, 1 << 60), (3, 24 * _HOUR)):
        conn.execute(
            text(
                "INSERT INTO ballot_counts (experiment_id, of_first, hour, preference, prompt_b_side, n)"
                " SELECT experiment_id, :of_first, voted_at - voted_at % :step, preference, prompt_b_side, count(*)"
                " FROM comparisons GROUP BY 1, 3, 4, 5"
            ),
            {"of_first": of_first, "step": step},
        )
