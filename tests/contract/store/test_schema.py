"""A database's schema: whether it is made at once or by the migrations, from whichever revision, it is the same."""

import contextlib
import logging
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

from canopy.base.errors import StoreError
from canopy.store.engine import migrate
from canopy.store.engine.migrate import HEAD
from canopy.store.feedback.query import Filter
from canopy.store.opening import database_at, migrate_database, open_store
from canopy.store.tables import metadata
from tests.contract.store.records import a_ballot, a_comparison, a_generation, a_vote

MIGRATIONS = Path(migrate.__file__).with_name("migrations")


def _compared(name: str | None, kind: str, _: object) -> bool:
    """The index of the searches is each engine's own, with tables whose names begin so."""
    return kind != "table" or not str(name).startswith("search")


_COMPARED = {"compare_type": True, "include_name": _compared}


def _engine_url(store_url: str) -> str:
    return store_url.replace("postgresql://", "postgresql+psycopg://")


def test_the_migrations_make_exactly_the_schema(new_url: str) -> None:
    _migrated(new_url)
    engine = create_engine(_engine_url(new_url))
    with engine.connect() as conn:
        differences = compare_metadata(MigrationContext.configure(conn, opts=_COMPARED), metadata)
    engine.dispose()
    assert differences == []


def _alembic(engine_url: str, action: Callable[[Config, str], None], revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    engine = create_engine(engine_url)
    with engine.begin() as conn:
        config.attributes["connection"] = conn
        action(config, revision)
    engine.dispose()


def _migrated(url: str) -> None:
    """Let the migrations make the database, also where a start makes it without them."""
    database = database_at(url)
    database.prepare()
    database.dispose()
    _alembic(_engine_url(url), command.upgrade, "head")


def _made(path: Path) -> list[object]:
    """What a new file of SQLite has: the clauses of its tables, their columns in order, indexes and the like, rows."""
    with contextlib.closing(sqlite3.connect(path)) as conn:
        made: list[object] = [
            (kind, name, *_clauses(" ".join((sql or "").split())))
            for kind, name, sql in conn.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
        ]
        made += conn.execute("SELECT m.name, x.* FROM sqlite_master AS m, pragma_table_xinfo(m.name) AS x").fetchall()
        made += conn.execute("SELECT version_num, floor FROM alembic_version, schema_floor").fetchall()
    return sorted(made, key=str)


def _clauses(statement: str) -> list[str]:
    """The order of a table's constraints means nothing, and the migrations have another one."""
    if not statement.startswith("CREATE TABLE"):
        return [statement]
    head, _, clauses = statement.partition("(")
    return [head, *sorted(clause.strip(" ;") for clause in re.split(r",(?![^()]*\))", clauses.rpartition(")")[0]))]


async def test_a_new_file_is_what_the_migrations_would_make(tmp_path: Path) -> None:
    _migrated(f"sqlite:///{tmp_path}/migrated.db")
    store = open_store(f"sqlite:///{tmp_path}/new.db")
    await store.start()
    await store.close()
    migrated, new = _made(tmp_path / "migrated.db"), _made(tmp_path / "new.db")
    assert new == migrated
    with contextlib.closing(sqlite3.connect(tmp_path / "new.db")) as conn:
        conn.execute("CREATE INDEX another ON reviews (updated_at)")
    assert new != _made(tmp_path / "new.db")


def test_a_file_whose_migrations_were_all_undone_is_migrated_again(tmp_path: Path) -> None:
    """Alembic's table is there, and has no row."""
    url = f"sqlite:///{tmp_path}/canopy.db"
    with contextlib.closing(sqlite3.connect(tmp_path / "canopy.db")) as file:
        file.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
    assert migrate_database(url).revision == HEAD


async def test_a_start_that_dies_while_it_makes_the_tables_leaves_none(tmp_path: Path) -> None:
    path = tmp_path / "canopy.db"
    program = f"""
import asyncio, os
from canopy.store.engine.sqlite import SQLite
from canopy.store.opening import open_store
make = SQLite.make_tables
SQLite.make_tables = lambda self, conn: make(self, conn) and os._exit(3)
asyncio.run(open_store("sqlite:///{path}").start())
"""
    died = subprocess.run([sys.executable, "-c", program], check=False)  # noqa: ASYNC221  # nothing else runs here
    assert died.returncode == 3
    with contextlib.closing(sqlite3.connect(path)) as conn:
        assert conn.execute("SELECT name FROM sqlite_master").fetchall() == []
    store = open_store(f"sqlite:///{path}")
    await store.start()
    await store.generations.record(a_generation())
    await store.close()


async def test_a_database_of_an_older_version_is_brought_up_to_date_with_its_records(new_url: str) -> None:
    generation = a_generation()
    store = open_store(new_url)
    await store.start()
    await store.generations.record(generation)
    await store.feedback.record(a_vote(generation, voter="v"))
    await store.close()
    _alembic(_engine_url(new_url), command.downgrade, "0001")

    store = open_store(new_url)
    await store.start()
    assert await store.generations.get(generation.id) == generation
    assert await store.feedback.count(Filter()) == 1
    comparison = await a_comparison(store)
    assert (await store.comparisons.record_ballot(a_ballot(comparison))).outcome == "created"
    await store.close()

    _alembic(_engine_url(new_url), command.downgrade, "0001")
    store = open_store(new_url)
    await store.start()
    assert await store.experiments.all() == []
    assert await store.feedback.count(Filter()) == 1
    await store.close()


async def test_a_database_of_a_newer_version_is_refused_and_left_alone(store_url: str) -> None:
    store = open_store(store_url)
    await store.start()
    await store.close()
    engine = create_engine(_engine_url(store_url))
    with engine.begin() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        conn.execute(text("UPDATE schema_floor SET floor = '9999'"))
    store = open_store(store_url)
    with pytest.raises(StoreError, match="newer version"):
        await store.start()
    await store.close()
    with engine.connect() as conn:
        found = conn.execute(text("SELECT version_num FROM alembic_version")).scalar()
    engine.dispose()
    assert found == "9999"


def test_head_names_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


async def test_migrating_leaves_logging_alone(new_url: str) -> None:
    def state() -> tuple[int, list[logging.Handler], int, bool]:
        root = logging.getLogger()
        return (
            root.level,
            list(root.handlers),
            logging.getLogger("alembic").level,
            logging.getLogger("asyncio").disabled,
        )

    before = state()
    store = open_store(new_url)
    await store.start()
    await store.close()
    assert state() == before


@pytest.mark.parametrize("new", [True, False])
async def test_a_start_imports_neither_alembic_nor_the_other_engine(tmp_path: Path, new: bool) -> None:
    """Also where it makes the file; only to bring an older one up to date takes Alembic."""
    url = f"sqlite:///{tmp_path}/canopy.db"
    if not new:
        _migrated(url)
    program = f"""
import asyncio, sys
from canopy.store.opening import open_store
async def main():
    store = open_store({url!r})
    await store.start()
    await store.close()
asyncio.run(main())
print(sorted({{"alembic", "psycopg"}} & set(sys.modules)))
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: ASYNC221  # nothing else runs here
    assert result.stdout == "[]\n"
