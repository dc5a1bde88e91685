"""Bringing the schema up to date.

Alembic takes longer to import than all else that the store does at start: a database that is at `HEAD` never sees it.
"""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from canopy.errors import StoreError
from canopy.store.database import Database

HEAD = "0014"  # the newest revision in migrations/versions


def upgrade(database: Database) -> None:
    """Apply the migrations that are missing, all or none. Processes that start at the same time take turns."""
    with database.migrator.connect() as conn:
        if revision(conn) == HEAD:
            return
    with database.migrator.begin() as conn:
        database.lock_schema(conn)
        found = revision(conn)
        if found != HEAD:
            _migrate(conn, found)


def revision(conn: Connection) -> str | None:
    """The revision that the database is at; None for an empty one."""
    if not inspect(conn).has_table("alembic_version"):
        return None
    return conn.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _migrate(conn: Connection, found: str | None) -> None:
    from alembic import command  # noqa: PLC0415 - see the module's docstring
    from alembic.config import Config  # noqa: PLC0415 - as above
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - as above

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.attributes["connection"] = conn
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise StoreError("The database was made by a newer version of Canopy. Run that version or restore a backup.")
    command.upgrade(config, "head")
