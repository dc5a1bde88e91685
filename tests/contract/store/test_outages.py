"""Several replicas on one PostgreSQL, and a database that goes away."""

import asyncio
import os
import signal
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress

import pytest
from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.exc import OperationalError

from canopy.base.errors import StoreError
from canopy.store.engine import postgres as postgres_engine
from canopy.store.engine import writer
from canopy.store.engine.causes import cause
from canopy.store.engine.writer import Writer
from canopy.store.experiments.experiment import BallotReceipt, Preference
from canopy.store.feedback.query import Filter
from canopy.store.feedback.vote import Receipt
from canopy.store.opening import database_at, open_store
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


@pytest.fixture
async def replicas(postgres_url: str, clock: Clock) -> AsyncGenerator[tuple[Store, Store]]:
    one, two = open_store(postgres_url, clock=clock), open_store(postgres_url, clock=clock)
    await one.start()
    await two.start()
    yield one, two
    await one.close()
    await two.close()


async def test_two_replicas_count_each_vote_once(replicas: tuple[Store, Store]) -> None:
    generations = [a_generation(input_text=f"text {i}") for i in range(5)]
    for generation in generations:
        await replicas[0].generations.record(generation)

    async def voter(number: int) -> list[Receipt]:
        return [
            await replicas[(number + i) % 2].feedback.record(
                a_vote(generations[i % 5], voter=f"v{number % 8}", **(DOWN if (number * i) % 3 else {}))
            )
            for i in range(20)
        ]

    receipts = [receipt for own in await asyncio.gather(*(voter(i) for i in range(16))) for receipt in own]
    entries = (await replicas[1].feedback.page(Filter(), 1000, None)).feedback
    assert len(entries) == 40  # 8 voters on 5 generations
    assert sum(receipt.outcome == "created" for receipt in receipts) == 40
    for value in ("thumbs_up", "thumbs_down"):
        counted = sum(entry.value == value for entry in entries)
        assert await replicas[0].feedback.count(Filter(value=value)) == counted
        assert sum(count.n for count in await replicas[0].feedback.counts(Filter(value=value))) == counted


async def test_a_replica_learns_that_another_one_pruned_its_labels(replicas: tuple[Store, Store], clock: Clock) -> None:
    await replicas[0].feedback.record(on_texts())
    await replicas[1].deletion.prune(clock.now + 1)
    assert (await replicas[0].feedback.record(on_texts())).outcome == "created"
    assert await replicas[1].feedback.count(Filter()) == 1


async def test_two_replicas_agree_on_the_ballots(replicas: tuple[Store, Store]) -> None:
    comparisons = [await a_comparison(replicas[i % 2], user_id="ada") for i in range(6)]
    preferences: list[Preference] = ["both_bad", "a", "both_bad", "b", "tie"]

    async def tab(number: int) -> list[BallotReceipt]:
        return [
            await replicas[(number + i) % 2].comparisons.record_ballot(
                a_ballot(comparisons[i % 6], preferences[(number * i) % 5])
            )
            for i in range(12)
        ]

    receipts = [receipt for own in await asyncio.gather(*(tab(i) for i in range(8))) for receipt in own]
    assert sum(receipt.outcome == "created" for receipt in receipts) == 6
    counts = await replicas[0].experiments.ballot_counts(None)
    assert counts.ballots == 6
    entries = (await replicas[1].experiments.ballots(None, 10, None)).entries
    assert counts.both_bad == sum(entry.preference == "both_bad" for entry in entries)
    assert await replicas[0].feedback.count(Filter()) == len(await everything(replicas[1])) == 2 * counts.both_bad


async def test_a_lost_connection_is_replaced(
    replicas: tuple[Store, Store], postgres: PostgresServer, postgres_url: str
) -> None:
    store, _ = replicas
    await store.feedback.record(on_texts(voter="before"))
    assert await store.feedback.count(Filter()) == 1
    with postgres.connect(postgres_url.rpartition("/")[2]) as conn:
        conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    votes = (store.feedback.record(on_texts(voter=f"v{i}")) for i in range(20))
    assert {receipt.outcome for receipt in await asyncio.gather(*votes)} == {"created"}
    assert await store.feedback.count(Filter()) == 21


async def test_an_outage_fails_votes_with_a_sentence_and_ends_with_it() -> None:
    with PostgresServer(fsync=False) as server:
        store = open_store(server.create_database())
        await store.start()
        await store.feedback.record(on_texts(voter="before"))
        server.stop()
        outcomes = await asyncio.gather(
            *(store.feedback.record(on_texts(voter=f"v{i}")) for i in range(10)), return_exceptions=True
        )
        for outcome in outcomes:
            assert isinstance(outcome, StoreError)
            assert outcome.sentence == "The database does not answer. Please try again in a moment."
            assert outcome.__cause__ is not None
        with pytest.raises(StoreError):
            await store.ping()
        server.start()
        await store.ping()
        assert (await store.feedback.record(on_texts(voter="after"))).outcome == "created"
        assert await store.feedback.count(Filter()) == 2
        await store.close()


@contextmanager
def _stopped(store: Store, url: str) -> Generator[None]:
    """The server's process for writes is there, and does nothing."""
    del url
    with store.executor.database.writer.connect() as conn:
        pid = conn.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def _locked(store: Store, url: str) -> Generator[None]:
    """Another process has the lock that every write needs, and keeps it."""
    other = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with other.begin() as conn:
        store.executor.database.lock(conn)
        yield
    other.dispose()


@pytest.mark.parametrize(("pooled", "hanging"), [(False, _stopped), (True, _locked)])
async def test_a_write_that_hangs_is_answered_and_told_until_one_goes_through(
    postgres: PostgresServer,
    postgres_url: str,
    pooled: bool,
    hanging: Callable[[Store, str], AbstractContextManager[None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writer, "_PATIENCE", 2.0)
    monkeypatch.setattr(postgres_engine, "_WRITING", 6)
    with PgBouncer(postgres.port, pool=8) if pooled else nullcontext() as pooler:
        store = open_store(pooler.url(postgres_url) if pooler else postgres_url)
        await store.start()
        await store.feedback.record(on_texts(voter="before"))
        with hanging(store, postgres_url):
            begun = threading.Event()
            event.listen(store.executor.database.writer, "begin", lambda _: begun.set())
            votes = [asyncio.create_task(store.feedback.record(on_texts(voter="first")))]
            assert await asyncio.to_thread(begun.wait, 30)
            votes.append(asyncio.create_task(store.feedback.record(on_texts(voter="second"))))
            for vote in votes:
                with pytest.raises(StoreError, match=r"same `Idempotency-Key`|does not answer"):
                    await vote
            with pytest.raises(StoreError, match="does not answer"):  # at once: it needs no patience
                await store.feedback.record(on_texts(voter="third"))
            assert await store.feedback.count(Filter()) == 1  # reads go on
            with pytest.raises(StoreError) as unready:
                await store.ping()
            assert unready.value.reason is not None
            assert "doesn't finish a write" in unready.value.reason
        async with asyncio.timeout(60):
            while True:
                with suppress(StoreError):
                    await store.ping()
                    break
        assert (await store.feedback.record(on_texts(voter="after"))).outcome == "created"
        assert await store.feedback.count(Filter()) in {2, 3}  # nobody was told whether the first is there
        await store.close()


async def test_a_read_that_hangs_is_given_up_and_its_connection_with_it(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_engine, "_READING", 1)
    store = open_store(postgres_url)
    await store.start()
    with store.executor.database.reader.connect() as conn, pytest.raises(OperationalError) as given_up:
        conn.exec_driver_sql("SELECT pg_sleep(3600)")
    assert "gave no answer" in (cause(given_up.value) or "")
    assert await store.feedback.count(Filter()) == 0
    await store.close()


async def test_a_store_whose_volume_hangs_answers_and_ends(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a file on a network volume does: nobody can help the thread, and nobody waits for it."""
    monkeypatch.setattr(writer, "_PATIENCE", 0.5)
    store = open_store(store_url)
    await store.start()
    released = threading.Event()

    def hang(conn: Connection, items: Sequence[None]) -> Sequence[None]:
        released.wait(60)
        conn.invalidate()  # nobody takes it back
        return items

    try:
        for vote in (
            store.executor.writer.submit(hang, None),
            store.feedback.record(on_texts(voter="v")),
            store.ping(),
        ):
            with pytest.raises(StoreError):
                await vote
        async with asyncio.timeout(30):
            await store.close()
        assert not released.is_set()
    finally:
        released.set()


async def test_a_write_that_ends_its_thread_elsewhere_fails_alone(store_url: str) -> None:
    database = database_at(store_url)
    database.prepare()
    writer = Writer(database)
    writer.start()

    def panic(conn: Connection, items: object) -> list[None]:
        raise SystemExit(conn, items)  # no Exception, like the panics of libraries in Rust

    def count(conn: Connection, items: Sequence[int]) -> list[int]:
        return [conn.execute(text("select 1")).scalar_one() for _ in items]

    outcomes = await asyncio.gather(
        *(writer.submit(panic, i) for i in range(5)), writer.submit(count, 5), return_exceptions=True
    )
    assert all(isinstance(outcome, StoreError) for outcome in outcomes[:5])
    assert outcomes[5] == 1
    assert await writer.submit(count, 6) == 1
    await writer.close()
    database.dispose()
