"""Runs the store on SQLite, in one file for one process."""

import contextlib
import itertools
import os
import sqlite3
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from sys import getsizeof
from typing import Any, override

import orjson
from sqlalchemy import Column, ColumnElement, Connection, Engine, Table, bindparam, create_engine, event, func, select
from sqlalchemy.dialects.sqlite import Insert, dialect, insert
from sqlalchemy.pool import QueuePool

from canopy.base.errors import ConfigError, StoreError
from canopy.store import experiment_tables, review_tables
from canopy.store.engine.database import (
    SCANS_AT_ONCE,
    BulkUpsert,
    Candidates,
    CompiledStatement,
    Database,
    Replace,
    StoreSize,
)
from canopy.store.engine.search_terms import millisecond_of
from canopy.store.engine.volumes import locks_hold, network_volume
from canopy.store.tables import metadata

_BUSY_TIMEOUT = 5  # seconds
_SCRUB_ATTEMPTS = 6
_BETTER = "Use a volume of block storage (on Kubernetes with `ReadWriteOnce`), or PostgreSQL."
_ROWS = 100  # in one statement: of 20 columns, well below the limit of 32,766 parameters
_SHORT = 4_096  # bytes of memory of a row, on average, up to which many go into one statement

_MAKE_INDEX = (
    "CREATE VIRTUAL TABLE search USING fts5"
    "(folded, content = '', detail = none, columnsize = 0, tokenize = 'trigram case_sensitive 1')"
)
# The index has no texts of its own: what is taken out must be handed over as it was put in.
_UNINDEX = """
    INSERT INTO search (search, rowid, folded)
    SELECT 'delete', f.search_place, folded(
        coalesce(g.input_text, f.input_text, '') || char(10) || coalesce(g.response_text, f.response_text, '')
        || char(10) || coalesce(f.comment, ''))
    FROM feedback f LEFT JOIN generations g ON g.id = f.generation_id
    WHERE f.id IN (SELECT value FROM json_each(?)) AND f.search_place IS NOT NULL
"""
_CANDIDATES = "SELECT rowid FROM search WHERE search MATCH ? AND rowid >= ? AND rowid < ? ORDER BY rowid DESC LIMIT ?"
_TOGETHER = 500  # candidates
_MERGED = 200  # pages in one step of tidying the index


class SQLite(Database):
    """Keeps a WAL, so that readers and the writer never wait for each other, and syncs it, so that commits last."""

    def __init__(self, path: Path, readers: int) -> None:
        if not path.name or str(path) == ":memory:":
            raise ConfigError("`CANOPY_STORE_URL` must name a file: `sqlite:///PATH`.")
        self._path = path.absolute()
        if os.path.isdir(self._path):  # noqa: PTH112 - Path's own raises where it may not look
            raise ConfigError(
                f"`CANOPY_STORE_URL` names the folder {self._path}. Name a file in it, such as canopy.db."
            )
        self._seen: tuple[object, int] | None = None  # the writer's connection, and the changes of others that it saw
        self.writer = create_engine(
            "sqlite://",
            creator=lambda: self._connect("rwc"),
            paramstyle="named",
            poolclass=QueuePool,
            pool_size=1,
            max_overflow=0,
            pool_reset_on_return=None,
        )
        self.reader, self.scanner, self.prober = (self._reading(size) for size in (readers, SCANS_AT_ONCE, 1))
        self.migrator = self.writer
        # Take the write lock at once: a transaction that reads first could find the database changed when it writes.
        event.listen(self.writer, "begin", lambda conn: conn.exec_driver_sql("BEGIN IMMEDIATE"))

    def _reading(self, connections: int) -> Engine:
        return create_engine(
            "sqlite://",
            creator=lambda: self._connect("ro"),
            paramstyle="named",
            poolclass=QueuePool,
            pool_size=connections,
            max_overflow=0,
            pool_reset_on_return=None,
        )

    @property
    @override
    def description(self) -> str:
        return f"SQLite, {self._path}"

    @property
    @override
    def risk(self) -> str | None:
        if (network := network_volume(self._path)) is None:
            return None
        return (
            f"{self._path} is on {network}. SQLite needs memory that one machine shares, and locks that the volume "
            f"keeps: a connection that breaks off, or another machine, may damage the database. {_BETTER}"
        )

    @property
    @override
    def exists(self) -> bool:
        return self._path.exists()

    def _connect(self, mode: str) -> sqlite3.Connection:
        raw = sqlite3.connect(
            f"{self._path.as_uri()}?mode={mode}",
            uri=True,
            timeout=_BUSY_TIMEOUT,
            isolation_level=None,
            check_same_thread=False,
        )
        pragmas = ["foreign_keys = ON"]
        if mode == "rwc":
            raw.create_function("folded", 1, str.casefold, deterministic=True)
            (mode,) = raw.execute("PRAGMA journal_mode = WAL").fetchone()
            if mode != "wal":
                raw.close()
                raise StoreError(f"The volume can't share the memory that SQLite's log needs. {_BETTER}")
            pragmas += [
                "synchronous = FULL",
                "secure_delete = ON",  # overwrites what is deleted or replaced with zeros
                "cache_size = -16000",  # KiB
            ]
        for pragma in pragmas:
            raw.execute(f"PRAGMA {pragma}").close()
        return raw

    @override
    def prepare(self) -> None:
        """Make the folder and the file for the account and its group alone; SQLite's other files take after it."""
        try:
            self._path.parent.mkdir(mode=0o770, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"The folder {self._path.parent} for the database can't be made.") from error
        if network := network_volume(self._path):
            self._refuse_without_locks(network)
        # What stands in the way of the file is told when it is opened.
        with contextlib.suppress(OSError):
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o660))

    def _refuse_without_locks(self, network: str) -> None:
        try:
            held = locks_hold(self._path.parent)
        except OSError as error:
            raise StoreError(f"The folder {self._path.parent} for the database can't be written.") from error
        if not held:
            raise StoreError(
                f"It is on {network}, where a lock keeps no other process out, and two would destroy it. {_BETTER}"
            )

    @override
    def size(self) -> StoreSize:
        log = self._path.with_name(f"{self._path.name}-wal")
        try:
            return StoreSize(self._path.stat().st_size, log.stat().st_size if log.exists() else 0)
        except OSError as error:
            raise StoreError(f"{self._path} can't be looked at ({error.strerror}).") from error

    @override
    def lock(self, conn: Connection) -> None:
        """Do nothing: `BEGIN IMMEDIATE` has taken the lock."""

    @override
    def changed_by_others(self, conn: Connection) -> bool:
        """Return whether another process wrote: SQLite may give the id of a deleted last row to the next one."""
        raw = conn.connection.driver_connection
        version: int = conn.exec_driver_sql("PRAGMA data_version").scalar_one()
        before, self._seen = self._seen, (raw, version)
        return before != self._seen

    @override
    def now(self, conn: Connection) -> float:
        return time.time()

    @override
    def lock_schema(self, conn: Connection) -> None:
        """Do nothing: `BEGIN IMMEDIATE` has taken the lock."""

    @override
    def make_tables(self, conn: Connection) -> bool:
        for others in (review_tables, experiment_tables):
            assert others.metadata is metadata  # noqa: S101  # so that no linter takes the imports away
        metadata.create_all(conn, checkfirst=False)
        conn.exec_driver_sql(_MAKE_INDEX)
        return True

    @override
    def in_list(self, column: ColumnElement[Any], parameter: str) -> ColumnElement[bool]:
        return column.in_(select(func.json_each(bindparam(parameter)).table_valued("value").c.value))

    @override
    def newest(self, column: Column[Any], parameter: str, most: int) -> ColumnElement[bool]:
        rows, found = column.table.alias("rows"), column.table.alias("found")
        wanted = func.json_each(bindparam(parameter)).table_valued("value", name="wanted")
        ids = select(rows.c.id).where(rows.c[column.name] == wanted.c.value).order_by(rows.c.created_at.desc())
        one = found.c.id.in_(ids.limit(most).correlate(wanted))
        return column.table.c.id.in_(select(found.c.id).select_from(wanted.join(found, one)))

    @override
    def list_param(self, values: Sequence[Any]) -> str:
        return orjson.dumps(values).decode()

    @override
    def contains(self, column: ColumnElement[Any], needle: str) -> ColumnElement[bool]:
        return func.instr(func.lower(column), needle) > 0

    @override
    def bulk(self, table: Table, conflict: Sequence[Column[Any]], replace: Replace | None) -> BulkUpsert:
        def statement() -> Insert:
            new = insert(table).values({column.name: bindparam(column.name) for column in table.columns})
            if replace is None:
                return new.on_conflict_do_nothing(index_elements=conflict)
            return new.on_conflict_do_update(index_elements=conflict, set_=replace(new.excluded))

        return _Rows(CompiledStatement(statement, dialect()), [column.name for column in table.columns])

    @override
    def index(self, conn: Connection, texts: Mapping[int, str]) -> None:
        conn.exec_driver_sql("INSERT INTO search (rowid, folded) VALUES (?, ?)", list(texts.items()))

    @override
    def unindex(self, conn: Connection, ids: Sequence[str]) -> None:
        conn.exec_driver_sql(_UNINDEX, (self.list_param(ids),))

    @override
    def candidates(self, conn: Connection, wanted: Sequence[str], first: int, end: int) -> Candidates:
        words = " AND ".join('"' + trigram.replace('"', '""') + '"' for trigram in wanted)
        places = list(conn.exec_driver_sql(_CANDIDATES, (words, first, end, _TOGETHER)).scalars())
        if len(places) < _TOGETHER:
            return Candidates(places, first)
        since = millisecond_of(places[-1])
        places += conn.exec_driver_sql(_CANDIDATES, (words, since, places[-1], -1)).scalars()
        return Candidates(places, since)

    @override
    def interrupt(self, connection: sqlite3.Connection) -> None:
        connection.interrupt()

    @override
    def scrub(self) -> None:
        # What was taken out of the index is only marked so until its parts are merged: in steps, between which votes
        # get their turn.
        with contextlib.closing(self._connect("rwc")) as raw:
            pages, before = -_MERGED, -2
            while raw.total_changes - before >= 2:
                before = raw.total_changes
                raw.execute("INSERT INTO search (search, rank) VALUES ('merge', ?)", (pages,)).close()
                pages = _MERGED
        # The log still holds the pages as they were. To empty it, wait for readers and the writer, up to the time-out.
        with contextlib.closing(self._connect("rwc")) as raw:
            for _ in range(_SCRUB_ATTEMPTS):
                busy, *_ = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                if not busy:
                    return
        raise StoreError("The records are deleted, but traces are left in the database's log. Please try again.")


class _Rows(BulkUpsert):
    """Inserts many short rows in one statement. With one for each, the writer and the event loop wait for each other.

    A connection keeps its last 128 statements with what they were last given. So long rows have a statement in common,
    and not one for each number of rows, which would keep that many texts.
    """

    def __init__(self, one_row: CompiledStatement, columns: Sequence[str]) -> None:
        self._one_row = one_row
        self._columns = columns
        self._values = f"({', '.join('?' * len(columns))})"

    @cached_property
    def _around(self) -> tuple[str, str]:
        """Has the statement before the values of its row, and behind them."""
        before, _, after = self._one_row.text.partition(self._values)
        return before, after

    @override
    def run(self, conn: Connection, rows: list[dict[str, Any]]) -> None:
        before, after = self._around
        for chunk in itertools.batched(rows, _ROWS):
            parameters = tuple([row[column] for row in chunk for column in self._columns])
            if sum(map(getsizeof, parameters)) > _SHORT * len(chunk):
                conn.exec_driver_sql(self._one_row.text, list(itertools.batched(parameters, len(self._columns))))
                continue
            values = ", ".join([self._values] * len(chunk))
            conn.exec_driver_sql(f"{before}{values}{after}", parameters)
