"""Choosing the engine by the URL."""

import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from canopy.errors import ConfigError
from canopy.store.base import Store
from canopy.store.database import Database

_READERS = 4
_LAST_PORT = 65_535
_SHAPES = "`sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST/DATABASE`"


def _now() -> int:
    return time.time_ns() // 1_000


def open_store(url: str, *, clock: Callable[[], int] = _now, scan_timeout: float = 10) -> Store:
    """A store that `start` connects. Raises ConfigError for a URL of another shape; `clock` gives microseconds.

    A search takes at most `scan_timeout` seconds.
    """
    # An engine's own driver takes a while to import, so that only the one in use is.
    from canopy.store.sqlstore import SqlStore  # noqa: PLC0415 - as said

    return SqlStore(_database(url), _READERS, clock, scan_timeout)


def _database(url: str) -> Database:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ConfigError(f"`CANOPY_STORE_URL` must be {_SHAPES}.") from None  # their texts hold the URL
    if parsed.drivername != "sqlite" and (url.count("@") > 1 or (parsed.port or 0) > _LAST_PORT):
        # A part of the password would count as the host, the port or the database, which logs name.
        raise ConfigError(
            f"`CANOPY_STORE_URL` must be {_SHAPES}; write `@`, `:` and `/` in a password as %40, %3A, %2F."
        )
    if parsed.drivername == "sqlite" and parsed.database and not (parsed.host or parsed.query):
        from canopy.store.sqlite import SQLite  # noqa: PLC0415 - as above

        return SQLite(Path(parsed.database), _READERS)
    if parsed.drivername in {"postgresql", "postgres", "postgresql+psycopg"} and parsed.database:
        from canopy.store.postgres import Postgres  # noqa: PLC0415 - as above

        return Postgres(parsed, _READERS)
    raise ConfigError(f"`CANOPY_STORE_URL` must be {_SHAPES}.")
