"""Opens the store, on the engine that its URL names."""

import re
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from canopy.base.errors import ConfigError, StoreError
from canopy.store.engine.database import Database, store_error
from canopy.store.engine.executor import Executor
from canopy.store.engine.migrate import Schema, current_schema, upgrade
from canopy.store.store import Store

_READERS = 4
_POSTGRES = re.compile(r"postgres(ql)?(\+\w+)?://")  # whichever driver it was written for
_SHAPES = "`sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST/DATABASE`"


def _now() -> int:
    return time.time_ns() // 1_000


def _unheard(_: StoreError) -> None:
    """Do nothing: whoever calls the store learns of a failure by its error."""


def open_store(
    url: str,
    *,
    clock: Callable[[], int] = _now,
    scan_timeout: float = 10,
    on_failure: Callable[[StoreError], None] = _unheard,
) -> Store:
    """Return a store that `start` connects. Raises ConfigError for a URL of another shape.

    `clock` gives microseconds since the epoch. A search takes at most `scan_timeout` seconds. `on_failure` is called
    with the error of each call that fails, in the context of its caller and before the call raises it.
    """
    return Store(Executor(database_at(url), _READERS, scan_timeout, on_failure), clock)


def risk_of(url: str) -> str | None:
    """Return a sentence on what the place of the database puts at risk; None where there is nothing.

    Raises ConfigError for a URL of another shape.
    """
    database = database_at(url)
    database.dispose()
    return database.risk


def read_schema(url: str) -> Schema:
    """Return the schema of the database at this URL. Raises ConfigError and StoreError, and changes nothing."""
    return _with_database(url, current_schema)


def migrate_database(url: str) -> Schema:
    """Bring the database at this URL up to date, and return its schema. Raises ConfigError and StoreError."""

    def up_to_date(database: Database) -> Schema:
        database.prepare()
        return upgrade(database)

    return _with_database(url, up_to_date)


def _with_database(url: str, work: Callable[[Database], Schema]) -> Schema:
    database = database_at(url)
    try:
        return work(database)
    except SQLAlchemyError as error:
        raise store_error(error) from error
    finally:
        database.dispose()


def database_at(url: str) -> Database:
    """Return the database at this URL, which nothing has connected to yet. Raises ConfigError."""
    url = _pasted(url)
    if _POSTGRES.match(url):
        from canopy.store.engine.postgres import Postgres  # noqa: PLC0415 - its driver takes long to import

        return Postgres(url, _READERS)
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ConfigError(f"`CANOPY_STORE_URL` must be {_SHAPES}.") from None  # their texts hold the URL
    if parsed.drivername == "sqlite" and parsed.database and not (parsed.host or parsed.query):
        from canopy.store.engine.sqlite import SQLite  # noqa: PLC0415 - as above

        return SQLite(Path(parsed.database), _READERS)
    raise ConfigError(f"`CANOPY_STORE_URL` must be {_SHAPES}.")


def _pasted(url: str) -> str:
    """Return the address alone, without a line's end, quotes and a `psql` that it was copied with."""
    url = url.strip().removeprefix("psql ").strip()
    return url[1:-1] if len(url) > 1 and url[0] == url[-1] and url[0] in "'\"" else url
