"""Declares what an engine offers: its connections, and the expressions that each engine spells in its own way."""

import abc
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, Engine, Executable, Row, Table, text
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from canopy.base.errors import StoreError
from canopy.store.engine.causes import Lasting, cause

SCANS_AT_ONCE = 2  # scans at once
UNAVAILABLE = "The database does not answer. Please try again in a moment."
_SET_UP_WRONG = "The database can't be used as it is set up."
_READ_ONLY = "25006"  # SQLSTATE read_only_sql_transaction


class StoreSize(NamedTuple):
    """Holds how many bytes a database takes, and how many of what waits to be put into it (None: unknown)."""

    data: int
    log: int | None


# The columns of a row that already exists, from the row that was to be inserted.
type Replace = Callable[[Any], Mapping[str, Any]]


class CompiledStatement:
    """Compiles a statement once, when it first runs. Running it costs a fraction of what `Connection.execute` does.

    To build it costs as much as to compile it, so one that not every process runs is given as what builds it.
    """

    def __init__(self, statement: Executable | Callable[[], Executable], dialect: Dialect) -> None:
        self._statement = statement
        self._dialect = dialect

    @cached_property
    def _compiled(self) -> tuple[str, dict[str, Any]]:
        """Has the text, and the parameters that the statement itself gives."""
        built = self._statement if isinstance(self._statement, Executable) else self._statement()
        compiled = built.compile(dialect=self._dialect)  # type: ignore[attr-defined]  # all used here have it
        return str(compiled), {name: value for name, value in compiled.params.items() if value is not None}

    @property
    def text(self) -> str:
        """Return it in the words of the engine."""
        return self._compiled[0]

    def rows(self, conn: Connection, **parameters: Any) -> Sequence[Row[Any]]:
        """Run it and fetch everything."""
        sql, constants = self._compiled
        return conn.exec_driver_sql(sql, {**constants, **parameters}).all()

    def run(self, conn: Connection, rows: Sequence[dict[str, Any]]) -> int:
        """Run it once for each row. Returns how many rows the last run changed."""
        sql, constants = self._compiled
        if constants:
            rows = [{**constants, **row} for row in rows]
        return conn.exec_driver_sql(sql, rows).rowcount


class BulkUpsert(abc.ABC):
    """Inserts many rows, in one statement where the engine has a way."""

    @abc.abstractmethod
    def run(self, conn: Connection, rows: list[dict[str, Any]]) -> None:
        """Insert rows that all have every column of the table."""


class Candidates(NamedTuple):
    """Holds what one look at the search index found: the votes that may match, each by its `search_place`.

    A place is a number under which the index has a vote's texts; it grows with the time of the vote. A look covers the
    places from `since` on.
    """

    places: list[int]  # highest, so newest, first
    since: int  # the lowest of its millisecond, so that the votes of one are never in two looks


class Database(abc.ABC):
    """Connects to one engine, and spells the few expressions that engines differ in."""

    writer: Engine
    migrator: Engine  # for the schema: a change to it takes as long as it takes
    reader: Engine
    scanner: Engine  # for `canopy.store.engine.scans`
    prober: Engine  # for `canopy.store.engine.probe`

    @property
    @abc.abstractmethod
    def description(self) -> str:
        """Return the engine and the place, without credentials."""

    @property
    def risk(self) -> str | None:
        """Return a sentence on what the place puts at risk, with what to do; None where there is nothing."""
        return None

    @property
    def exists(self) -> bool:
        """Return whether the database is there, and `prepare` need not make it first."""
        return True

    @abc.abstractmethod
    def prepare(self) -> None:
        """Make the place where the database is, if that takes anything."""

    def check(self, conn: Connection) -> None:
        """Read from the database. Raises StoreError if it can be connected to but not used, as with a broken file."""
        # A table's page, not a constant: a database file that is gone or broken must not look alive.
        conn.execute(text("SELECT version_num FROM alembic_version"))

    @abc.abstractmethod
    def size(self) -> StoreSize:
        """Return how large the database is."""

    @abc.abstractmethod
    def lock(self, conn: Connection) -> None:
        """Make this transaction the only writer, among all processes, until it ends."""

    def changed_by_others(self, conn: Connection) -> bool:
        """Return whether another process may have given ids that this process remembers to other rows.

        Each call asks about the time since the one before. Call it within the lock, or the answer may be outdated. An
        engine that never gives an id twice returns False: a reference to a row that is gone fails there.
        """
        del conn
        return False

    @abc.abstractmethod
    def now(self, conn: Connection) -> float:
        """Return seconds since the epoch, by the clock that all processes on this database share."""

    @abc.abstractmethod
    def lock_schema(self, conn: Connection) -> None:
        """Make this transaction the only one that migrates, among all processes, until it ends."""

    def make_tables(self, conn: Connection) -> bool:
        """Make all tables of a database that has none, as all migrations would, or return False: they are to do it."""
        del conn
        return False

    @abc.abstractmethod
    def in_list(self, column: ColumnElement[Any], parameter: str) -> ColumnElement[bool]:
        """Return the condition that the column is one of the values of a list parameter, which `list_param` makes."""

    @abc.abstractmethod
    def newest(self, column: Column[Any], parameter: str, most: int) -> ColumnElement[bool]:
        """Return the condition that a row is among the `most` newest with its value of the column.

        The values are those of a list parameter. The cost doesn't depend on how many rows have a value, given an index
        on the column and `created_at`.
        """

    @abc.abstractmethod
    def list_param(self, values: Sequence[Any]) -> Any:
        """Return a list parameter for `in_list` and `newest`."""

    @abc.abstractmethod
    def contains(self, column: ColumnElement[Any], needle: str) -> ColumnElement[bool]:
        """Return the condition that a text contains `needle`, ASCII in lower case, whatever the text's ASCII case."""

    @abc.abstractmethod
    def bulk(self, table: Table, conflict: Sequence[Column[Any]], replace: Replace | None) -> BulkUpsert:
        """Return an insert that does nothing where the row exists or, with `replace`, sets those columns."""

    @abc.abstractmethod
    def index(self, conn: Connection, texts: Mapping[int, str]) -> None:
        """Put votes' case-folded texts, each under its `search_place`, into the search index."""

    @abc.abstractmethod
    def unindex(self, conn: Connection, ids: Sequence[str]) -> None:
        """Take votes out of the search index, where they are in it. Their texts must not have changed since."""

    @abc.abstractmethod
    def candidates(self, conn: Connection, wanted: Sequence[str], first: int, end: int) -> Candidates:
        """Look in the search index for the newest texts that have all these trigrams.

        Only the places from `first` to before `end` are looked at, and of those no more than a bounded number, from
        the newest on: `since` of the result is `first` if that was the whole range.
        """

    @abc.abstractmethod
    def interrupt(self, connection: Any) -> None:
        """End the statement that another thread runs on this connection of the driver, if it runs one."""

    @abc.abstractmethod
    def scrub(self) -> None:
        """See to it that deleted text can't be read from the database's files, as far as the engine lets us."""

    def dispose(self) -> None:
        """Close every connection."""
        for engine in (self.prober, self.scanner, self.reader, self.migrator, self.writer):
            engine.dispose()


def is_database_failure(error: BaseException) -> bool:
    """Return whether the database, and not what was asked of it, is at fault: gone, locked, full or read-only."""
    return isinstance(error, OperationalError) or (
        isinstance(error, DBAPIError) and (error.connection_invalidated or is_read_only(error))
    )


def is_read_only(error: BaseException) -> bool:
    """Return whether the server takes no writes: after a failover a connection may lead to the former primary."""
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) == _READ_ONLY


def store_error(error: BaseException) -> StoreError:
    """Return what to raise: a sentence for a person, without SQL and credentials, with the cause as its reason."""
    why = cause(error)
    if isinstance(why, Lasting):
        return StoreError(_SET_UP_WRONG, retry_after=5 if is_database_failure(error) else None, reason=why)
    if is_database_failure(error):
        return StoreError(UNAVAILABLE, retry_after=5, reason=why)
    if isinstance(error, SQLAlchemyError | UnicodeError | TypeError | ValueError):
        return StoreError("The database can't hold this text or answer this question.", reason=why)
    return StoreError("The store failed in an unexpected way.")
