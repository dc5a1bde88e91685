"""Scans have few places, and give them back: when their time is up, and when nobody waits any more."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event

from canopy.base.errors import ScansBusy, ScanTimeout
from canopy.store.feedback.query import Filter
from canopy.store.opening import open_store
from canopy.store.store import Store
from tests.contract.store.costs import endless_statement
from tests.contract.store.records import on_texts


def _endless(store: Store) -> Callable[[], None]:
    """A scan that doesn't end by itself."""

    def scan() -> None:
        with store.executor.database.scanner.connect() as conn:
            conn.exec_driver_sql(endless_statement(store))

    return scan


async def test_scans_are_two_at_once_and_end_with_whoever_waits(store: Store) -> None:
    for number in range(9):
        await store.feedback.record(on_texts(f"A common text, number {number}."))
    endless = _endless(store)
    begun = threading.Semaphore(0)

    def scan() -> None:
        begun.release()
        endless()

    scans = [asyncio.create_task(store.executor.scan(scan)) for _ in range(2)]
    for _ in scans:
        assert await asyncio.to_thread(begun.acquire, timeout=30)
    with pytest.raises(ScansBusy, match="2 searches are running already"):
        await store.executor.scans.run(endless, patience=0.1)
    await store.ping()
    for task in scans:
        task.cancel()
    await asyncio.gather(*scans, return_exceptions=True)
    assert len((await store.feedback.page(Filter(search="common"), 20, None)).feedback) == 9  # there is a place again


@pytest.mark.parametrize("cut_short", [False, True])
async def test_a_statement_that_is_about_to_begin_ends_as_well(
    store_url: str, monkeypatch: pytest.MonkeyPatch, cut_short: bool
) -> None:
    """Its connection is interrupted before there is anything to interrupt on it."""
    store = open_store(store_url, scan_timeout=4)
    await store.start()
    database, scans = store.executor.database, store.executor.scans
    about, interrupted = threading.Event(), threading.Event()
    interrupt = database.interrupt
    used: list[Any] = []

    def interrupting(connection: Any) -> None:
        used.append(connection)
        interrupt(connection)
        interrupted.set()

    def waiting(*_: object) -> None:
        about.set()
        assert interrupted.wait(30)

    monkeypatch.setattr(database, "interrupt", interrupting)
    event.listen(database.scanner, "before_cursor_execute", waiting)
    ended = threading.Event()
    endless = _endless(store)

    def scan() -> str:
        try:
            if cut_short:
                with scans.cutting():
                    endless()
            else:
                endless()
        finally:
            ended.set()
        return "what was found"

    task = asyncio.create_task(scans.run(scan))
    assert await asyncio.to_thread(about.wait, 30)
    if not cut_short:
        task.cancel()
    try:
        assert await asyncio.to_thread(ended.wait, 30)
    finally:
        interrupt(used[-1])
    (answer,) = await asyncio.gather(task, return_exceptions=True)
    assert answer == "what was found" if cut_short else isinstance(answer, asyncio.CancelledError)
    await store.close()


async def test_a_scan_has_a_time_limit(store_url: str) -> None:
    store = open_store(store_url, scan_timeout=0.2)
    await store.start()
    endless = _endless(store)
    with pytest.raises(ScanTimeout, match=r"longer than the 0\.2 s"):
        await store.executor.scan(endless)
    await store.close()  # which waits for the thread
