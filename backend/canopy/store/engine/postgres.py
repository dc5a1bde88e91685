"""Runs the store on PostgreSQL, for several replicas."""

import contextlib
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, override
from zlib import crc32

import orjson
import psycopg
from psycopg.types.json import Json
from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    Connection,
    Table,
    any_,
    bindparam,
    collate,
    column,
    extract,
    func,
    select,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import Insert, insert

from canopy.base.errors import StoreError
from canopy.store.engine.causes import REPLICA
from canopy.store.engine.database import (
    SCANS_AT_ONCE,
    UNAVAILABLE,
    BulkUpsert,
    Candidates,
    CompiledStatement,
    Database,
    Replace,
    StoreSize,
)
from canopy.store.engine.postgres_connections import connect, engine
from canopy.store.engine.postgres_url import read
from canopy.store.engine.search_terms import millisecond_of, trigrams

# Advisory locks are numbers; these two are Canopy's.
_WRITE_LOCK = 4_126_001
_SCHEMA_LOCK = 4_126_002

_SETTINGS = {
    "lock_timeout": "10s",  # a replica that hangs with the write lock makes the others fail rather than hang
    "idle_in_transaction_session_timeout": "10s",  # and loses its lock
    # Everything has its index. A plan made while a table was small must not stay in use when it has grown.
    "plan_cache_mode": "force_custom_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",  # the newest rows come from the index in their order, never by sorting all
    "enable_hashjoin": "off",  # few rows look up their few partners
    "enable_mergejoin": "off",
    "jit": "off",
}
# What finds trigrams makes bitmaps; all else that scans goes along an index in its order, a window at a time.
_SCANNING = _SETTINGS | {"enable_bitmapscan": "on"}

# Seconds of silence after which a statement has failed and its connection is given up. A write takes far less; a count
# over millions of records may take its time.
_WRITING = 15
_READING = 60

# The index is in blocks of this many votes that follow each other in time. A block's name, its lowest place, is part of
# the number of each trigram in it. So what is common has a list in each block, and a search reads those of the blocks
# that it looks at.
_BLOCK = 16_384
_NEWEST = "SELECT place, block, nth FROM search ORDER BY place DESC LIMIT 1"
_BLOCK_OF = "SELECT coalesce(max(block), 0) FROM search WHERE block <= %(place)s"
_INDEX = "INSERT INTO search VALUES (%(place)s, %(block)s, %(nth)s, %(trigrams)s::int[])"
_BLOCKS = """
    WITH RECURSIVE b (block, nth) AS (
        SELECT max(block), 1 FROM search WHERE block < %(end)s
        UNION ALL
        SELECT (SELECT max(block) FROM search WHERE block < b.block), nth + 1 FROM b
        WHERE nth < %(limit)s AND block > %(first)s
    ) SELECT block FROM b WHERE block IS NOT NULL
"""
# One block after the other, until there are enough. What asks a block for trigrams has no order and no range, which
# would lead the planner along the places instead.
_CANDIDATES = """
    WITH RECURSIVE walk (nth, total, places) AS (
        SELECT 0, 0, '{}'::bigint[]
        UNION ALL
        SELECT nth + 1, total + cardinality(found.places), found.places FROM walk CROSS JOIN LATERAL (
            SELECT ARRAY(
                SELECT place FROM (
                    SELECT place, block FROM search
                    WHERE trigrams @> (%(needles)s::text[])[walk.nth + 1]::int[] OFFSET 0
                ) asked
                WHERE block = (%(blocks)s::bigint[])[walk.nth + 1] AND place >= %(first)s AND place < %(end)s
                ORDER BY place DESC
            ) AS places OFFSET 0
        ) found
        WHERE nth < cardinality(%(blocks)s::bigint[]) AND total < %(enough)s
    ) SELECT places FROM walk ORDER BY nth OFFSET 1
"""
_BLOCKS_AT_MOST = 31
_ENOUGH = 100  # candidates; then no more blocks are asked


class Postgres(Database):
    """Lets one replica write at a time, as in SQLite: no lost update, no deadlock; commits are shared anyway."""

    def __init__(self, url: str, readers: int) -> None:
        """Raises ConfigError for an address that can't be read."""
        self.address = address = read(url)
        self.writer = engine(address, _SETTINGS, connections=1, silence=_WRITING, reading=False)
        self.migrator = engine(address, _SETTINGS, connections=0, silence=None, reading=False)
        self.reader = engine(address, _SETTINGS, connections=readers, silence=_READING, reading=True)
        self.scanner = engine(address, _SCANNING, connections=SCANS_AT_ONCE, silence=_READING, reading=True)
        self.prober = engine(address, _SETTINGS, connections=1, silence=_WRITING, reading=True)
        self._take_lock = CompiledStatement(select(func.pg_advisory_xact_lock(_WRITE_LOCK)), self.writer.dialect)
        self._clock = CompiledStatement(select(extract("epoch", func.clock_timestamp())), self.writer.dialect)

    @property
    @override
    def description(self) -> str:
        return f"PostgreSQL, {self.address.place}"

    @override
    def prepare(self) -> None:
        """Do nothing: the database exists already."""

    @override
    def check(self, conn: Connection) -> None:
        super().check(conn)
        if conn.execute(text("SELECT current_setting('transaction_read_only')")).scalar() == "on":
            raise StoreError(UNAVAILABLE, retry_after=5, reason=REPLICA)

    @override
    def size(self) -> StoreSize:
        with self.reader.connect() as conn:
            return StoreSize(conn.execute(select(func.pg_database_size(func.current_database()))).scalar_one(), None)

    @override
    def lock(self, conn: Connection) -> None:
        self._take_lock.rows(conn)

    @override
    def now(self, conn: Connection) -> float:
        return float(self._clock.rows(conn)[0][0])

    @override
    def lock_schema(self, conn: Connection) -> None:
        conn.execute(text("SET LOCAL lock_timeout = '300s'"))
        conn.execute(select(func.pg_advisory_xact_lock(_SCHEMA_LOCK)))

    @override
    def in_list(self, column: ColumnElement[Any], parameter: str) -> ColumnElement[bool]:
        return column == any_(bindparam(parameter, type_=ARRAY(column.type)))

    @override
    def newest(self, column: Column[Any], parameter: str, most: int) -> ColumnElement[bool]:
        rows = column.table.alias("rows")
        values = func.unnest(bindparam(parameter, type_=ARRAY(column.type)))
        wanted = values.table_valued("value", name="wanted").render_derived()
        same = rows.c[column.name] == collate(wanted.c.value, "C")
        ids = select(rows.c.id).where(same).order_by(rows.c.created_at.desc()).limit(most).lateral("ids")
        return column.table.c.id.in_(select(ids.c.id).select_from(wanted.join(ids, true())))

    @override
    def list_param(self, values: Sequence[Any]) -> list[Any]:
        return list(values)

    @override
    def contains(self, column: ColumnElement[Any], needle: str) -> ColumnElement[bool]:
        return func.strpos(func.lower(collate(column, "C")), needle) > 0

    @override
    def bulk(self, table: Table, conflict: Sequence[Column[Any]], replace: Replace | None) -> BulkUpsert:
        def statement() -> Insert:
            rows = (
                func.json_to_recordset(bindparam("rows", type_=None))
                .table_valued(*(column(c.name, c.type) for c in table.columns))
                .render_derived(name="incoming", with_types=True)
            )
            new = insert(table).from_select([c.name for c in table.columns], select(*rows.c))
            if replace is None:
                return new.on_conflict_do_nothing(index_elements=conflict)
            return new.on_conflict_do_update(index_elements=conflict, set_=replace(new.excluded))

        return _Json(CompiledStatement(statement, self.writer.dialect))

    @override
    def index(self, conn: Connection, texts: Mapping[int, str]) -> None:
        newest = conn.exec_driver_sql(_NEWEST).first()
        place, block, nth = (-1, 0, 0) if newest is None else newest
        rows = []
        for at in sorted(texts):
            if at > place:
                new = nth >= _BLOCK and millisecond_of(at) > place
                place, block, nth = at, millisecond_of(at) if new else block, 1 if new else nth + 1
                row = {"place": at, "block": block, "nth": nth}
            else:  # it came late
                row = {"place": at, "block": conn.exec_driver_sql(_BLOCK_OF, {"place": at}).scalar(), "nth": 0}
            rows.append({**row, "trigrams": _numbers(trigrams(texts[at]), row["block"])})
        conn.exec_driver_sql(_INDEX, rows)

    @override
    def unindex(self, conn: Connection, ids: Sequence[str]) -> None:
        conn.exec_driver_sql(
            "DELETE FROM search USING feedback f WHERE f.id = ANY(%(ids)s) AND search.place = f.search_place",
            {"ids": list(ids)},
        )

    @override
    def candidates(self, conn: Connection, wanted: Sequence[str], first: int, end: int) -> Candidates:
        asked = {"first": first, "end": end, "limit": _BLOCKS_AT_MOST, "enough": _ENOUGH}
        blocks = list(conn.exec_driver_sql(_BLOCKS, asked).scalars())
        needles = ["{" + ",".join(map(str, _numbers(wanted, block))) + "}" for block in blocks]
        found = conn.exec_driver_sql(_CANDIDATES, {**asked, "blocks": blocks, "needles": needles}).scalars().all()
        places = list(chain.from_iterable(found))
        if len(found) == len(blocks) < _BLOCKS_AT_MOST:
            return Candidates(places, first)
        return Candidates(places, max(blocks[len(found) - 1], first))

    @override
    def interrupt(self, connection: psycopg.Connection[Any]) -> None:
        # A server that can't be asked to end it is asked again, or gone.
        with contextlib.suppress(psycopg.OperationalError):
            connection.cancel_safe(timeout=5)

    @override
    def scrub(self) -> None:
        # Deleted rows stay in the files until they are vacuumed; autovacuum would get there in its own time.
        # No transaction may have it, so that it has a connection of its own, where nothing begins one.
        with contextlib.closing(connect(self.address, "1", None, reading=True)) as raw:
            raw.execute(
                "VACUUM (SKIP_LOCKED) generations, feedback, comparisons, prompts, reviews, review_events, search"
            )


def _numbers(texts: Sequence[str], block: int) -> list[int]:
    """Return a number for each trigram in a block; two may share one, which makes for a candidate too many."""
    name = crc32(str(block).encode())
    return [crc32(text.encode(), name) - 2**31 for text in texts]


class _Json(BulkUpsert):
    """Sends all rows as one parameter: one round trip, no work in Python per value, and their texts once, in UTF-8."""

    def __init__(self, statement: CompiledStatement) -> None:
        self._statement = statement

    @override
    def run(self, conn: Connection, rows: list[dict[str, Any]]) -> None:
        self._statement.run(conn, [{"rows": Json(rows, orjson.dumps)}])
