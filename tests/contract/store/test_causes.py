"""Whatever keeps a real PostgreSQL or a file of SQLite from being used is named, with what to do and no password."""

import asyncio
import contextlib
import re
import socket
import sqlite3
from collections.abc import AsyncGenerator, Generator
from contextlib import closing
from pathlib import Path

import pytest
from psycopg import sql
from sqlalchemy.exc import OperationalError

from canopy.base.errors import ConfigError, StoreError
from canopy.store.engine import sqlite
from canopy.store.engine.causes import cause
from canopy.store.opening import open_store
from canopy.store.store import Store
from tests.contract.store.records import on_texts
from tests.support.certificates import certificate
from tests.support.pgbouncer import PgBouncer
from tests.support.postgres import PostgresServer

_ACCESS = """
local all all trust
host all canopy 127.0.0.1/32 trust
host strict secured 127.0.0.1/32 reject
hostssl all secured 127.0.0.1/32 scram-sha-256
host all guest,nologin,limited,absent 127.0.0.1/32 trust
"""


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Generator[PostgresServer]:
    """A server with TLS, passwords and roles that may do little."""
    own = certificate(tmp_path_factory.mktemp("tls"), name="db.example")
    with PostgresServer(fsync=False, access=_ACCESS, certificate=own) as server:
        with server.connect("postgres") as conn:
            conn.execute("CREATE DATABASE votes")
            conn.execute("CREATE DATABASE strict")
            conn.execute("CREATE DATABASE readonly")
            conn.execute("ALTER DATABASE readonly SET default_transaction_read_only = on")
            conn.execute(sql.SQL("CREATE ROLE secured LOGIN PASSWORD {}").format("hunter2-/"))
            conn.execute("CREATE ROLE guest LOGIN")
            conn.execute("CREATE ROLE nologin")
            conn.execute("CREATE ROLE limited LOGIN CONNECTION LIMIT 0")
        yield server


# What may be over in a moment; of anything else nobody says that trying again helps.
PASSES = (
    "in a moment|in time|all in use|Nothing listens|can't be resolved|broke off|replica, or read-only|locked"
    "|answers, and|no way to the host|The server said|is full|can't be read or written"
)


async def _why(url: str) -> str:
    """The cause that a start names."""
    store = open_store(url)
    try:
        with pytest.raises(StoreError) as refused:
            await store.start()
    finally:
        await store.close()
    assert refused.value.reason is not None
    lasting = not re.search(PASSES, refused.value.reason)
    assert refused.value.sentence == (
        "The database can't be used as it is set up."
        if lasting
        else "The database does not answer. Please try again in a moment."
    )
    assert "hunter2" not in refused.value.reason
    return refused.value.reason


@pytest.mark.parametrize(
    ("address", "named"),
    [
        ("canopy@{server}/absent", "no such database"),
        ("absent@{server}/votes", "no such user"),
        ("nologin@{server}/votes", "no such user (role), or none that may log in"),
        ("secured@{server}/votes", "wants a password"),
        ("secured:hunter2-wrong@{server}/votes", "refused the password"),
        ("secured:hunter2-wrong@{server}/votes?sslmode=require", "refused the password"),
        ("secured:hunter2-%2F@{server}/votes?sslmode=disable", "with TLS alone"),
        ("secured:hunter2-%2F@{server}/votes?sslmode=verify-full&sslrootcert=system", "is not trusted"),
        ("secured:hunter2-%2F@{server}/votes?sslmode=verify-full&sslrootcert=/no/file", "can't be read"),
        ("secured:hunter2-%2F@{server}/votes?sslmode=verify-full&sslrootcert={authority}", "for another name"),
        ("secured:hunter2-%2F@{server}/strict", "pg_hba.conf"),
        ("limited@{server}/votes", "connections are all in use"),
        ("guest@{server}/votes", "GRANT USAGE, CREATE ON SCHEMA public"),
        ("canopy@{server}/readonly", "replica, or read-only"),
        ("canopy:hunter2-x@127.0.0.1:1/votes", "Nothing listens"),
        ("canopy:hunter2-x@no-such-host.invalid/votes", "can't be resolved"),
        ("canopy@{http}/votes", "is no PostgreSQL"),
        ("canopy@{silent}/votes?connect_timeout=2", "didn't answer in time"),
        ("canopy@{server}/votes?sslmode=sometimes", "A parameter in CANOPY_STORE_URL has a value that means nothing"),
        ("canopy@{server}/votes?connect_timeout=abc", "A parameter in CANOPY_STORE_URL has a value that means nothing"),
        ("canopy@{server}/votes?keepalives=abc", "A parameter in CANOPY_STORE_URL has a value that means nothing"),
    ],
)
async def test_a_failure_to_connect_names_its_cause(
    guarded: PostgresServer, tmp_path: Path, address: str, named: str
) -> None:
    (tmp_path / "authority.crt").write_text((guarded.data / "server.pem").read_text())
    silent = socket.create_server(("127.0.0.1", 0))  # takes connections, and says nothing

    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(8)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    http = await asyncio.start_server(web, "127.0.0.1", 0)
    with silent:
        async with http:
            url = address.format(
                server=f"127.0.0.1:{guarded.port}",
                http=f"127.0.0.1:{http.sockets[0].getsockname()[1]}",
                silent=f"127.0.0.1:{silent.getsockname()[1]}",
                authority=tmp_path / "authority.crt",
            )
            assert named in await _why(f"postgresql://{url}")


@pytest.mark.parametrize("password", [":hunter2-%2F", ""])
async def test_the_right_password_over_tls_gets_in(
    guarded: PostgresServer, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that it's the cause, and nothing else, that keeps the others out."""
    with guarded.connect("votes") as conn:
        conn.execute("CREATE SCHEMA IF NOT EXISTS secured AUTHORIZATION secured")
    if not password:
        monkeypatch.setenv("PGPASSWORD", "hunter2-/")  # as the chart hands it over
    store = open_store(f"postgresql://secured{password}@127.0.0.1:{guarded.port}/votes?sslmode=require")
    await store.start()
    await store.ping()
    await store.close()


async def test_a_server_without_tls_is_named(postgres_url: str) -> None:
    assert "has no TLS" in await _why(f"{postgres_url}?sslmode=require")


@pytest.mark.parametrize(
    ("more", "auth", "address", "named"),
    [
        ("", "any", "canopy@{pooler}/absent", "no such database"),
        ("", "plain", "canopy:hunter2-wrong@{pooler}/postgres", "refused the password"),
        ("", "any", "canopy@{pooler}/postgres?options=-c%20jit%3Doff", "refuses a parameter"),
        ("client_tls_sslmode = require\nclient_tls_key_file = {pem}\nclient_tls_cert_file = {pem}", "any",
         "canopy@{pooler}/postgres?sslmode=disable", "with TLS alone"),
    ],
)  # fmt: skip
async def test_a_pooler_s_refusal_names_its_cause(
    postgres: PostgresServer, tmp_path: Path, more: str, auth: str, address: str, named: str
) -> None:
    pem = certificate(tmp_path)
    for path in (tmp_path, *tmp_path.parents[:3]):
        path.chmod(0o755)
    pem.chmod(0o644)
    with PgBouncer(postgres.port, auth=auth, more=more.format(pem=pem)) as pooler:
        assert named in await _why(f"postgresql://{address.format(pooler=f'127.0.0.1:{pooler.port}')}")


async def test_a_pooler_without_a_server_or_a_place_is_named(postgres: PostgresServer, postgres_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = free.getsockname()[1]
    with PgBouncer(nobody) as pooler:
        assert "that the server behind it runs" in await _why(f"{pooler.url(postgres_url)}?connect_timeout=2")
    with PgBouncer(postgres.port, pool=1, more="query_wait_timeout = 1") as pooler:
        store = open_store(pooler.url(postgres_url))
        await store.start()
        with postgres_transaction(pooler.url(postgres_url)), pytest.raises(StoreError) as refused:
            await store.feedback.record(on_texts(voter="v"))
        assert refused.value.reason is not None
        assert "no connection to the server free in time" in refused.value.reason
        await store.feedback.record(on_texts(voter="v"))
        await store.close()


@contextlib.contextmanager
def postgres_transaction(url: str) -> Generator[None]:
    """Somebody who keeps a connection of the pool."""
    import psycopg

    with psycopg.connect(url) as conn:
        conn.execute("SELECT 1")
        yield


@pytest.fixture
async def store(postgres_url: str) -> AsyncGenerator[Store]:
    store = open_store(postgres_url)
    await store.start()
    yield store
    await store.close()


async def test_a_primary_that_becomes_a_replica_is_told_and_left(
    store: Store, postgres: PostgresServer, postgres_url: str
) -> None:
    await store.feedback.record(on_texts(voter="before"))
    name = postgres_url.rpartition("/")[2]
    with postgres.connect("postgres") as conn:
        conn.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
    for ask in (store.feedback.record(on_texts(voter="v")), store.ping()):
        with pytest.raises(StoreError) as refused:
            await ask
        assert refused.value.reason is not None
        assert "replica, or read-only" in refused.value.reason
    with postgres.connect("postgres") as conn:
        conn.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
    # Nobody ends the connections that lead to the replica: a vote that it refused has taken care of its own.
    assert (await store.feedback.record(on_texts(voter="after"))).outcome == "created"


async def test_tables_that_are_gone_are_told(store: Store, postgres: PostgresServer, postgres_url: str) -> None:
    with postgres.connect(postgres_url.rpartition("/")[2]) as conn:
        conn.execute("DROP TABLE alembic_version")
    with pytest.raises(StoreError) as refused:
        await store.ping()
    assert refused.value.reason is not None
    assert "tables are gone" in refused.value.reason


# What poolers say that can't be had here, from public reports: the words, without what is around them.
@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("FATAL:  Tenant or user not found", "USER.PROJECT"),
        ("FATAL:  (ENOTFOUND) tenant/user postgres.abc not found", "USER.PROJECT"),
        ("FATAL:  (ENOIDENTIFIER) no tenant identifier provided", "USER.PROJECT"),
        ("FATAL:  MaxClientsInSessionMode: max clients reached - in Session mode", "all in use"),
        ("FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute", "all in use"),
        ("ERROR:  connection is insecure (try using `sslmode=require`)", "TLS alone"),
        ("FATAL:  This RDS Proxy requires TLS connections", "TLS alone"),
        ("FATAL:  feature not supported: RDS Proxy currently doesn't support command-line options.", "refuses a param"),
        ("ERROR:  unsupported startup parameter in options: lock_timeout", "refuses a parameter"),
        ("FATAL:  server login has been failing, cached error: password authentication failed", "refused the password"),
        ("FATAL:  the database system is starting up", "starting or stopping"),
        ("FATAL:  terminating connection due to administrator command", "starting or stopping"),
        ("ERROR:  Your account has \"quota\" exceeded for postgresql://ana:hunter2@host/db", "has “…” exceeded"),
    ],
)  # fmt: skip
def test_what_poolers_say_names_its_cause(words: str, named: str) -> None:
    why = cause(OperationalError("SELECT 1", {}, Exception(f'connection to server at "h", port 1 failed: {words}')))
    assert why is not None
    assert named in why
    assert "hunter2" not in why


async def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "canopy.db").write_text("This is a letter, and a long one. " * 100)
    assert "is no SQLite database, or is damaged" in await _why(f"sqlite:///{tmp_path}/canopy.db")


def test_a_folder_in_place_of_the_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"names the folder .+\. Name a file in it, such as canopy\.db\."):
        open_store(f"sqlite:///{tmp_path}")


async def test_a_file_that_may_not_be_opened_is_told(tmp_path: Path) -> None:
    (tmp_path / "canopy.db").symlink_to("/dev/null/canopy.db")
    assert "can't be opened" in await _why(f"sqlite:///{tmp_path}/canopy.db")


async def test_a_full_volume_is_told_with_the_vote_that_it_refuses(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/canopy.db")
    await store.start()
    with store.executor.database.writer.connect() as conn:  # its one connection: a file that may not grow
        pages = conn.exec_driver_sql("PRAGMA page_count").scalar_one()
        conn.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError) as refused:
        for i in range(1_000):
            await store.feedback.record(on_texts(voter=f"v{i}", input_text="long " * 10_000))
    assert refused.value.reason == "The volume is full."
    await store.close()


async def test_a_file_that_another_process_keeps_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "_BUSY_TIMEOUT", 0.2)
    store = open_store(f"sqlite:///{tmp_path}/canopy.db")
    await store.start()
    with closing(sqlite3.connect(tmp_path / "canopy.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError) as refused:
            await store.feedback.record(on_texts(voter="v"))
    assert refused.value.reason is not None
    assert "Another process has had the file locked" in refused.value.reason
    assert (await store.feedback.record(on_texts(voter="v"))).outcome == "created"
    await store.close()


async def test_a_file_whose_tables_are_gone_is_told(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/canopy.db")
    await store.start()
    with closing(sqlite3.connect(tmp_path / "canopy.db")) as other:
        other.execute("DROP TABLE alembic_version")
    with pytest.raises(StoreError) as refused:
        await store.ping()
    assert refused.value.reason is not None
    assert "tables are gone from the file" in refused.value.reason
    await store.close()
