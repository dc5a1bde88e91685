"""The store behind a real PgBouncer, which lends a server's connection for a transaction alone."""

import asyncio
from collections.abc import AsyncGenerator, Generator

import psycopg
import pytest
from sqlalchemy import text

from canopy.base.errors import ScanTimeout, StoreError
from canopy.store.feedback.query import Filter
from canopy.store.opening import open_store
from canopy.store.store import Store
from tests.contract.store.records import (
    DOWN,
    Clock,
    a_ballot,
    a_comparison,
    a_generation,
    a_vote,
    everything,
    on_texts,
)
from tests.support.pgbouncer import PgBouncer
from tests.support.postgres import PostgresServer


@pytest.fixture(scope="module")
def pooler(postgres: PostgresServer) -> Generator[PgBouncer]:
    with PgBouncer(postgres.port) as pooler:
        yield pooler


@pytest.fixture
def pooled_url(postgres: PostgresServer, pooler: PgBouncer) -> Generator[str]:
    """An empty database, by way of the pooler."""
    url = postgres.create_database()
    yield pooler.url(url)
    postgres.drop_database(url)


@pytest.fixture
async def replicas(pooled_url: str, clock: Clock) -> AsyncGenerator[tuple[Store, Store]]:
    """Two stores that make the schema and share the pooler's two connections."""
    stores = open_store(pooled_url, clock=clock), open_store(pooled_url, clock=clock)
    await asyncio.gather(*(store.start() for store in stores))
    yield stores
    for store in stores:
        await store.close()


async def test_two_replicas_behind_a_pool_of_two(replicas: tuple[Store, Store]) -> None:
    one, two = replicas
    generations = [a_generation(input_text=f"a rare text {i}") for i in range(4)]
    for generation in generations:
        await one.generations.record(generation)
    votes = [
        replicas[i % 2].feedback.record(a_vote(generations[i % 4], voter=f"v{i % 8}", **(DOWN if i % 3 else {})))
        for i in range(64)
    ]
    receipts = await asyncio.gather(*votes, *(two.feedback.count(Filter()) for _ in range(16)))
    assert sum(getattr(receipt, "outcome", "") == "created" for receipt in receipts) == 8
    assert await two.feedback.count(Filter()) == len(await everything(one)) == 8
    assert len((await two.feedback.page(Filter(search="rare"), 20, None)).feedback) == 8
    assert len([texts async for texts in one.reviews.distinct_inputs(Filter())]) > 0
    comparison = await a_comparison(one)
    assert (await two.comparisons.record_ballot(a_ballot(comparison))).outcome == "created"
    await asyncio.gather(*(store.ping() for store in replicas))
    erased = await one.deletion.prune(2**62)
    assert (erased.generations, await two.feedback.count(Filter())) == (4 + 2, 0)


async def test_settings_are_those_of_a_transaction(replicas: tuple[Store, Store], pooled_url: str) -> None:
    """They hold in each, and whoever gets the server's connection next has none of them."""
    one, _ = replicas
    asked = text("SELECT current_setting('lock_timeout'), current_setting('enable_seqscan')")
    database = one.executor.database
    for engine in (database.writer, database.reader, database.scanner, database.prober, database.migrator):
        for _ in range(3):
            with engine.connect() as conn:
                assert tuple(conn.execute(asked).one()) == ("10s", "off")
    with psycopg.connect(pooled_url, autocommit=True, prepare_threshold=None) as stranger:
        for _ in range(6):
            assert stranger.execute("SHOW lock_timeout").fetchone() == ("0",)
            assert stranger.execute("SHOW enable_seqscan").fetchone() == ("on",)
            assert stranger.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() == (0,)


async def test_a_search_that_takes_too_long_is_cancelled_through_the_pooler(pooled_url: str) -> None:
    store = open_store(pooled_url, scan_timeout=0.3)
    await store.start()

    def endless() -> None:
        with store.executor.database.scanner.connect() as conn:
            conn.exec_driver_sql("SELECT pg_sleep(3600)")

    with pytest.raises(ScanTimeout):
        await store.executor.scan(endless)
    assert await store.feedback.count(Filter()) == 0
    await store.close()  # which waits for the thread


async def test_a_straight_connection_keeps_its_statements_and_settings(postgres_url: str) -> None:
    """What makes votes fast where nothing is in between."""
    store = open_store(postgres_url)
    await store.start()
    for i in range(8):
        await store.feedback.record(on_texts(voter=f"v{i}"))
    with store.executor.database.writer.connect() as conn:
        raw = conn.connection.dbapi_connection
        assert isinstance(raw, psycopg.Connection)
        assert raw.execute("SELECT count(*) > 0 FROM pg_prepared_statements").fetchone() == (True,)
        assert raw.execute("SHOW enable_seqscan").fetchone() == ("off",)
        raw.rollback()
    await store.close()


async def test_an_address_that_names_a_pooler_is_believed(postgres_url: str) -> None:
    store = open_store(f"{postgres_url}?pgbouncer=true&connection_limit=1")
    await store.start()
    for i in range(8):
        await store.feedback.record(on_texts(voter=f"v{i}"))
    with store.executor.database.writer.connect() as conn:
        assert conn.execute(text("SELECT count(*) FROM pg_prepared_statements")).scalar() == 0
    assert await store.feedback.count(Filter()) == 8
    await store.close()


@pytest.mark.parametrize("mode", ["session", "statement"])
async def test_other_modes_work_or_are_named(postgres: PostgresServer, postgres_url: str, mode: str) -> None:
    with PgBouncer(postgres.port, mode=mode, pool=10) as pooler:
        store = open_store(pooler.url(postgres_url))
        if mode == "session":
            await store.start()
            await store.feedback.record(on_texts(voter="v"))
            assert await store.feedback.count(Filter()) == 1
        else:
            with pytest.raises(StoreError) as refused:
                await store.start()
            assert refused.value.reason is not None
            assert "transaction or session mode" in refused.value.reason
        await store.close()
