"""How much may wait for the writer, and how much it writes at once."""

import _sqlite3
import asyncio
import ctypes
import threading
import weakref
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import pytest_asyncio
from sqlalchemy import Connection

from canopy.base.errors import StoreError
from canopy.store.engine.writer import _BATCH_BYTES, _EACH, _WAITING_BYTES, Writer
from canopy.store.opening import database_at, open_store
from tests.contract.store.records import on_texts

MIB = 2**20


class Held:
    """A handler that goes on when it is told to, and knows how long its batches were."""

    def __init__(self) -> None:
        self.going_on = threading.Event()
        self.batches: list[list[int]] = []

    def write(self, _: Connection, items: Sequence[int]) -> Sequence[int]:
        self.batches.append(list(items))
        assert self.going_on.wait(60)
        return items


@pytest_asyncio.fixture
async def writer(store_url: str) -> AsyncGenerator[Writer]:
    database = database_at(store_url)
    database.prepare()
    writer = Writer(database)
    writer.start()
    yield writer
    await writer.close()
    database.dispose()


async def submit(
    writer: Writer, held: Held, sizes: Sequence[int], *, reserve: bool = False
) -> tuple[int, list[object]]:
    """Submit writes of these sizes, and let those through that may wait; how many may not, and the results."""
    tasks = [asyncio.create_task(writer.submit(held.write, size, size, reserve=reserve)) for size in sizes]
    await asyncio.sleep(0)  # a turn for each of them, in which it is refused or waits
    refused = [task.exception() for task in tasks if task.done()]
    for error in refused:
        assert isinstance(error, StoreError)
        assert (error.retry_after, error.sentence[:14]) == (5, "Too much waits")
    held.going_on.set()
    return len(refused), await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_waits_has_a_bound_and_the_rest_is_refused_at_once(writer: Writer) -> None:
    held = Held()
    refused, results = await submit(writer, held, [MIB] * 64)
    assert 32 < refused < 40  # a long one leaves room for short ones
    assert results[0] == MIB
    again, _ = await submit(writer, Held(), [MIB] * 20)
    assert again == 0


async def test_short_writes_find_room_behind_long_ones(writer: Writer) -> None:
    held = Held()
    refused, results = await submit(writer, held, [MIB] * 64 + [100] * 100)
    assert 32 < refused < 40
    assert results[-100:] == [100] * 100


async def test_writes_without_texts_are_bounded_too(writer: Writer) -> None:
    most = _WAITING_BYTES // _EACH
    refused, _ = await submit(writer, Held(), [0] * 2 * most)
    assert most <= refused < most + 10


async def test_what_has_the_reserve_is_written_behind_what_fills_the_room(writer: Writer) -> None:
    held = Held()
    waiting = [asyncio.create_task(writer.submit(held.write, MIB, MIB)) for _ in range(64)]
    await asyncio.sleep(0)
    refused, results = await submit(writer, held, [MIB] * 30, reserve=True)
    assert (refused, results) == (0, [MIB] * 30)
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_one_write_of_any_size_is_done_where_nothing_waits(writer: Writer) -> None:
    assert await submit(writer, Held(), [2 * _WAITING_BYTES]) == (0, [2 * _WAITING_BYTES])


async def test_a_transaction_holds_so_many_bytes(writer: Writer) -> None:
    """However the writes came: together in one turn of the event loop, or one after the other."""
    held = Held()
    one_by_one = []
    for _ in range(12):
        one_by_one.append(asyncio.create_task(writer.submit(held.write, MIB, MIB)))
        await asyncio.sleep(0)
    refused, _ = await submit(writer, held, [MIB] * 12)
    await asyncio.gather(*one_by_one)
    assert refused == 0
    assert sum(map(len, held.batches)) == 24
    assert max(sum(batch) for batch in held.batches) <= 2 * _BATCH_BYTES


async def test_what_is_written_is_let_go(writer: Writer) -> None:
    """Not kept until the next write comes."""

    class Item:
        pass

    def write(_: Connection, items: Sequence[Item]) -> Sequence[None]:
        return [None] * len(items)

    item = Item()
    written = weakref.ref(item)
    await writer.submit(write, item)
    del item
    async with asyncio.timeout(10):
        while written() is not None:
            await asyncio.sleep(0.001)


async def test_sqlite_keeps_no_long_texts_for_each_number_of_votes(tmp_path: Path) -> None:
    """Its statements keep what they were last given, and there is one for each number of rows."""
    library = ctypes.CDLL(_sqlite3.__file__)
    library.sqlite3_memory_used.restype = ctypes.c_int64
    store = open_store(f"sqlite:///{tmp_path}/canopy.db")
    await store.start()
    text = "x" * 100_000
    before = library.sqlite3_memory_used()
    for votes in range(1, 21):
        texts = [f"{votes} {number} {text}" for number in range(votes)]
        await asyncio.gather(*(store.feedback.record(on_texts(each, text)) for each in texts))
    kept = library.sqlite3_memory_used() - before
    await store.close()
    assert kept < 20 * MIB + 10 * len(text)  # 16 MB are the cache of pages
