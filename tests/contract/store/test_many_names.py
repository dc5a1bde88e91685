"""Ten thousand names of votes, as a store may have from before names were listed, make nothing slow.

What is counted is statements, and steps of SQLite's machine or rows that PostgreSQL reads; never time.
"""

from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from sqlalchemy import event

from canopy.store.feedback.query import Filter
from canopy.store.keys import text_digests
from canopy.store.store import Store
from canopy.store.tables import feedback, feedback_counts, series
from tests.contract.store.costs import metered
from tests.contract.store.records import HOUR, NOON

FEW, MANY = 100, 10_000
VOTES = 30_000
TEXTS = 3_000
BAD = Filter(feature="summarize", sentiment=-1)


def fill(store: Store, names: int) -> None:
    """As many votes, all bad and over ten hours, spread over these names and the texts."""
    database = store.executor.database
    labels = {"feature": "summarize", "kind": "thumbs", "value": "thumbs_down", "sentiment": -1, "prompt_id": ""}
    liked = {"id": names + 1, "name": "name_0", "model": "", **labels, "value": "thumbs_up", "sentiment": 1}
    texts = [(f"text {i}", text_digests(f"text {i}", "")[0]) for i in range(TEXTS)]

    def vote(number: int) -> dict[str, Any]:
        text, digest = texts[number % TEXTS]
        when = NOON + number * (10 * HOUR // VOTES)
        return {str(column.key): None for column in feedback.columns} | {
            "id": f"fb_{number:032x}",
            "series_id": number % names + 1,
            "created_at": when,
            "updated_at": when,
            "source": "HUMAN",
            "config_revision": "r",
            "input_digest": digest,
            "input_length": len(text),
            "response_length": 1,
            "reasons": "[]",
            "input_text": text,
            "response_text": "r",
        }

    votes = [vote(number) for number in range(VOTES)]
    counts: dict[tuple[int, int], int] = {}
    for row in votes:
        key = (row["series_id"], row["updated_at"] // HOUR * HOUR)
        counts[key] = counts.get(key, 0) + 1
    tables: list[tuple[Any, Sequence[dict[str, Any]]]] = [
        (series, [{"id": i + 1, "name": f"name_{i}", "model": "", **labels} for i in range(names)] + [liked]),
        (feedback, votes),
        (feedback_counts, [{"series_id": key[0], "hour": key[1], "n": n} for key, n in counts.items()]),
    ]
    with database.writer.begin() as conn:
        for table in (feedback_counts, feedback, series):
            conn.execute(table.delete())
        for table, rows in tables:
            database.bulk(table, list(table.primary_key), None).run(conn, list(rows))
    with database.writer.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.exec_driver_sql("ANALYZE")


@contextmanager
def watched(store: Store) -> Generator[dict[str, int]]:
    """Counts what is asked, and what the engine does to answer it."""
    database, costs = store.executor.database, {"statements": 0, "parameters": 0, "work": 0}

    def count(conn: Any, cursor: Any, statement: str, parameters: Any, *_: object) -> None:
        del conn, cursor, statement
        costs["statements"] += 1
        costs["parameters"] += len(parameters)

    with ExitStack() as stack:
        work = [stack.enter_context(metered(store, engine)) for engine in (database.reader, database.scanner)]
        for engine in (database.reader, database.scanner):
            event.listen(engine, "before_cursor_execute", count)
        yield costs
        for engine in (database.reader, database.scanner):
            event.remove(engine, "before_cursor_execute", count)
        costs["work"] = sum(cost.amount for cost in work)


READS: dict[str, Callable[[Store], Awaitable[Any]]] = {
    "page": lambda store: store.feedback.page(Filter(), 20, None),
    "bad page": lambda store: store.feedback.page(BAD, 20, None),
    "worst": lambda store: store.reviews.queue(Filter(), 20, None),
    "review": lambda store: store.reviews.page(BAD, "waiting", 20, None),
    "progress": lambda store: store.reviews.counts(BAD),
    "count": lambda store: store.feedback.count(BAD),
    "counts": lambda store: store.feedback.counts(Filter()),
    "hours": lambda store: store.feedback.hours(Filter()),
    "producers": lambda store: store.feedback.hours_by_producer(Filter(name="user_satisfaction", origin="own")),
}


async def costs_of(store: Store) -> dict[str, dict[str, int]]:
    found = {}
    for what, read in READS.items():
        with watched(store) as costs:
            await read(store)
        found[what] = costs
    return found


async def test_what_people_look_at_with_ten_thousand_names(store: Store) -> None:
    fill(store, FEW)
    few = await costs_of(store)
    each = 1 if store.description.startswith("SQLite") else 9  # hundreds of steps, or rows, that a name may cost
    fill(store, MANY)
    many = await costs_of(store)
    for what, cost in many.items():
        before = few[what]
        assert cost["statements"] <= 2 * before["statements"], what
        assert cost["parameters"] < 1_000, what
        assert cost["work"] <= 1.5 * before["work"] + each * MANY, (what, before["work"], cost["work"])


async def test_votes_are_added_up_by_the_database(store: Store) -> None:
    """What comes of thirty thousand votes is a row for each name, and one for each hour."""
    fill(store, MANY)
    assert [count.n for count in await store.feedback.counts(Filter())] == [VOTES // MANY] * MANY
    hours = await store.feedback.hours(Filter())
    assert [(it.hour, it.sentiment, it.n) for it in hours] == [(NOON + i * HOUR, -1, VOTES // 10) for i in range(10)]
