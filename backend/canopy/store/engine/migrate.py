"""Brings the schema up to date, and tells whether this version runs on the schema that is there.

A migration only adds, so that the version before runs on what it leaves, and going back takes nothing but the older
image. One that does more raises the floor: the oldest revision whose code still runs, which the database keeps.

Alembic takes longer to import than all else that the store does at start: a database that is at `HEAD` never sees it,
nor does a new file of SQLite, whose tables are made at once.
"""

from pathlib import Path
from typing import Literal, NamedTuple, override

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from canopy.base.errors import StoreError
from canopy.store.engine.database import Database, store_error

HEAD = "0027"  # the newest revision in migrations/versions
FLOOR = "0015"  # the oldest whose code runs on it, as the migrations have raised it


class Schema(NamedTuple):
    """Describes the schema that a database has, as this version sees it."""

    revision: str | None  # None: it has no tables yet
    state: Literal["behind", "current", "ahead", "newer"]  # `newer` is too far ahead for this version

    @property
    def head(self) -> str:
        """Return the revision that this version makes."""
        return HEAD

    @override
    def __str__(self) -> str:
        """Return what to add to the description of the database."""
        return f" (its schema {self.revision} is newer than this version's, {HEAD})" if self.state == "ahead" else ""


def current_schema(database: Database) -> Schema:
    """Return the schema that a database has. Raises StoreError where it is too new; changes nothing."""
    if not database.exists:
        return Schema(None, "behind")
    with database.migrator.connect() as conn:
        return _usable(schema(conn))


def upgrade(database: Database) -> Schema:
    """Apply the migrations that are missing, all or none. Processes that start at the same time take turns.

    Raises StoreError where the schema is too new.
    """
    with database.migrator.connect() as conn:
        found = schema(conn)
    if found.state != "behind":
        return _usable(found)
    with database.migrator.begin() as conn:
        database.lock_schema(conn)
        found = schema(conn)
        if found.state == "behind":
            _make_or_migrate(database, conn)
            found = schema(conn)
    return _usable(found)


def schema(conn: Connection) -> Schema:
    """Return the schema that this connection's database has; changes nothing."""
    tables = inspect(conn)
    if not tables.has_table("alembic_version"):
        return Schema(None, "behind")
    revision = conn.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if revision is None or revision < HEAD:
        return Schema(revision, "behind")
    if revision == HEAD:
        return Schema(revision, "current")
    floor = conn.execute(text("SELECT floor FROM schema_floor")).scalar() if tables.has_table("schema_floor") else None
    return Schema(revision, "ahead" if floor is not None and floor <= HEAD else "newer")


def _usable(found: Schema) -> Schema:
    if found.state == "newer":
        raise StoreError(
            f"The database was made by a newer version of Canopy: its schema {found.revision} is too new for this one, "
            f"which knows {HEAD}. Run that version, or restore a backup."
        )
    return found


def _make_or_migrate(database: Database, conn: Connection) -> None:
    try:
        if not inspect(conn).get_table_names() and database.make_tables(conn):
            _skip_migrations(conn)
        else:
            _migrate(conn)
    except SQLAlchemyError as error:
        failed = store_error(error)
        failed.reason = failed.reason or "A change of the schema failed. Nothing of it was kept; report it, please."
        raise failed from error


def _skip_migrations(conn: Connection) -> None:
    """Record, as Alembic does, that all of them have run."""
    key = "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)"
    conn.execute(text(f"CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, {key})"))
    conn.execute(text("INSERT INTO alembic_version VALUES (:head)"), {"head": HEAD})
    conn.execute(text("INSERT INTO schema_floor VALUES (:floor)"), {"floor": FLOOR})


def _migrate(conn: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - see the module's docstring
    from alembic.config import Config  # noqa: PLC0415 - as above

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.attributes["connection"] = conn
    command.upgrade(config, "head")
