"""Opening a store: URLs, and what is said of those that lead nowhere."""

import asyncio
import os
from pathlib import Path

import pytest

from canopy.base.errors import ConfigError, StoreError
from canopy.store.engine.migrate import HEAD
from canopy.store.engine.postgres import Postgres
from canopy.store.feedback.query import Filter
from canopy.store.opening import database_at, open_store
from canopy.store.store import Store
from tests.contract.store.records import a_generation, a_vote, on_texts


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "mysql://alice:hunter2@host/db",
        "postgresql://alice:hunter2@host",
        "postgresql://alice:hunter2@host:port/db",
        "postgresql://alice:hunter2@host:65536/db",
        "postgresql://alice:hunt/er2@host/db",
        "postgresql://alice:hunter2%84@host/db",
        "postgresql://alice:1/hunter2@host/db",
        "postgresql://alice:a@hunter2@host/db",
        "postgresql://alice:a?hunter2@host/db",
        "postgresql://alice:a?hunter2=1@host/db",
        "postgresql://alice:a:hunter2@host/db?sslmod=require",
        "postgresql://alice:a@host/db?hunter2-is-no-name=1",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite://alice:hunter2@host/file.db",
    ],
)
def test_a_wrong_url_is_refused_with_a_sentence_that_keeps_the_password(url: str) -> None:
    with pytest.raises(ConfigError, match="CANOPY_STORE_URL") as caught:
        open_store(url)
    assert "hunter2" not in caught.value.sentence


def test_a_description_names_the_place_without_credentials(tmp_path: Path) -> None:
    assert open_store(f"sqlite:///{tmp_path}/c.db").description == f"SQLite, {tmp_path}/c.db"
    assert open_store("postgresql://alice:hunter2@db:5433/votes").description == "PostgreSQL, votes on db:5433"


_PLACE = {
    "sslmode": "require",
    "host": "ep-cool-1.eu.example",
    "user": "ana.project",
    "password": "p@s:/?%+#",
    "dbname": "votes",
}


@pytest.mark.parametrize(
    ("pasted", "differs", "pooled"),
    [
        ("{scheme}", {}, False),
        ("postgres://", {}, False),
        ("postgresql+asyncpg://", {}, False),
        (" '{scheme}'\n", {}, False),
        ("psql '{scheme}'", {}, False),
        ("{scheme}&pgbouncer=true&connection_limit=1&pool_timeout=20", {}, True),
        ("{scheme}&channel_binding=require", {"channel_binding": "require"}, False),
        ("{scheme}&options=endpoint%3Dep-cool-1", {"options": "endpoint=ep-cool-1"}, False),
        ("{scheme}&options=-c%20search_path%3Da+b", {"options": "-c search_path=a+b"}, False),
        ("{scheme}&sslmode=no-verify", {}, False),
        ("{scheme}&ssl=true&schema=public&supa=base-pooler.x", {}, False),
        ("{scheme}&connect_timeout=15&target_session_attrs=read-write",
         {"connect_timeout": "15", "target_session_attrs": "read-write"}, False),
    ],
)  # fmt: skip
def test_an_address_is_taken_as_people_paste_it(pasted: str, differs: dict[str, str], pooled: bool) -> None:
    rest = "ana.project:p%40s%3A%2F%3F%+%23@ep-cool-1.eu.example/votes?sslmode=require"
    url = pasted.format(scheme=f"postgresql://{rest}") if "{scheme}" in pasted else pasted + rest
    postgres = database_at(url)
    assert isinstance(postgres, Postgres)
    assert postgres.address.parameters == _PLACE | differs
    assert postgres.address.pooled == pooled
    assert postgres.description == "PostgreSQL, votes on ep-cool-1.eu.example"


def test_several_hosts_and_a_socket_are_places() -> None:
    hosts = open_store("postgresql://ana:hunter2@one:5432,two:5433/votes?target_session_attrs=read-write")
    assert hosts.description == "PostgreSQL, votes on one:5432, two:5433"
    hosts = open_store("postgresql://one,two/votes")
    assert hosts.description == "PostgreSQL, votes on one, two"
    assert open_store("postgresql://[::1]:5433/votes").description == "PostgreSQL, votes on [::1]:5433"
    assert open_store("postgresql:///votes?host=/run/postgresql").description == "PostgreSQL, votes on local socket"


async def test_a_server_that_is_not_there_is_a_sentence_without_credentials() -> None:
    store = open_store("postgresql://alice:hunter2@127.0.0.1:1/votes")
    with pytest.raises(StoreError) as caught:
        await store.start()
    await store.close()
    assert caught.value.sentence == "The database does not answer. Please try again in a moment."
    assert caught.value.reason is not None
    assert caught.value.reason.startswith("Nothing listens at that host and port")
    assert caught.value.__cause__ is not None


async def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = open_store(f"sqlite:///{tmp_path}/file/canopy.db")
    with pytest.raises(StoreError, match="can't be made"):
        await store.start()
    await store.close()


async def test_a_closed_store_refuses_with_a_sentence(store_url: str) -> None:
    store = open_store(store_url)
    await store.start()
    await store.close()
    with pytest.raises(StoreError, match="closed"):
        await store.generations.record(a_generation())
    with pytest.raises(StoreError, match="closed"):
        await store.feedback.count(Filter())


async def test_the_database_answers(store: Store) -> None:
    await store.ping()


async def test_what_was_stored_is_there_after_a_restart(new_url: str) -> None:
    generation = a_generation()
    first = open_store(new_url)
    await first.start()
    await first.generations.record(generation)
    receipt = await first.feedback.record(a_vote(generation, voter="v"))
    await first.close()

    second = open_store(new_url)
    await second.start()
    assert await second.generations.get(generation.id) == generation
    page = await second.feedback.page(Filter(), 10, None)
    assert [entry.id for entry in page.feedback] == [receipt.feedback_id]
    again = await second.feedback.record(a_vote(generation, voter="v"))
    assert (again.outcome, again.feedback_id) == ("replaced", receipt.feedback_id)
    await second.close()


async def test_stores_that_start_at_the_same_time_take_turns(new_url: str) -> None:
    stores = [open_store(new_url) for _ in range(4)]
    await asyncio.gather(*(store.start() for store in stores))
    await asyncio.gather(*(store.generations.record(a_generation()) for store in stores))
    for store in stores:
        await store.close()


async def test_a_new_file_and_its_folder_are_closed_to_other_accounts(tmp_path: Path) -> None:
    """Texts stand there as they are, and a process may have no umask that keeps others out."""
    before = os.umask(0)
    try:
        store = open_store(f"sqlite:///{tmp_path}/var/canopy.db")
        await store.start()
        await store.feedback.record(on_texts(voter="v"))
        modes = {path.name: path.stat().st_mode & 0o007 for path in [tmp_path / "var", *(tmp_path / "var").iterdir()]}
        await store.close()
    finally:
        os.umask(before)
    assert modes == {"var": 0, "canopy.db": 0, "canopy.db-wal": 0, "canopy.db-shm": 0}


async def test_a_store_knows_its_schema_and_how_large_it_is(store: Store) -> None:
    assert store.schema is not None
    assert store.schema.revision == HEAD
    size = await store.size()
    assert size.data > 0
