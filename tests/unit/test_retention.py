"""Retention while serving: what is old goes, and a clock that is wrong takes nothing with it."""

from collections.abc import AsyncGenerator
from io import BytesIO
from pathlib import Path

import orjson
import pytest
import pytest_asyncio

from canopy.feedback.retention import Retention
from canopy.store.feedback.query import Filter
from canopy.store.opening import open_store
from canopy.store.store import Store
from canopy.telemetry import Logs, Metrics, Telemetry, Traces
from tests.contract.store.records import on_texts

DAY = 86_400


class Time:
    """The wall clock of the database and the steady one of the process, each set by itself."""

    def __init__(self) -> None:
        self.wall = 1_800_000_000.0
        self.steady = 100.0

    def passes(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


class Log:
    """The events of a store's retention."""

    def __init__(self) -> None:
        self.stream = BytesIO()
        self.telemetry = Telemetry(Logs("info", self.stream), Metrics(), Traces())

    @property
    def events(self) -> list[str]:
        return [orjson.loads(line)["event"] for line in self.stream.getvalue().splitlines()]


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def log() -> Log:
    return Log()


@pytest_asyncio.fixture
async def store(tmp_path: Path, time: Time, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Store]:
    monkeypatch.setattr("canopy.store.engine.sqlite.time.time", lambda: time.wall)
    store = open_store(f"sqlite:///{tmp_path}/canopy.db", clock=lambda: round(time.wall * 1e6))
    await store.start()
    yield store
    await store.close()


async def vote(store: Store, text: str) -> None:
    await store.feedback.record(on_texts(text, voter="v"))


async def kept(store: Store) -> set[str | None]:
    return {entry.input_text for entry in (await store.feedback.page(Filter(), 10, None)).feedback}


async def test_what_is_older_than_the_retention_goes(store: Store, time: Time, log: Log) -> None:
    retention = Retention(store, log.telemetry, 30, lambda: time.steady)
    await vote(store, "old")
    time.passes(29.5 * DAY)
    await vote(store, "new")
    await retention.delete_expired()
    assert await kept(store) == {"old", "new"}
    time.passes(0.6 * DAY)
    await retention.delete_expired()
    assert await kept(store) == {"new"}
    assert log.events == ["records_deleted"]


async def test_a_clock_that_is_ahead_when_the_process_starts_deletes_nothing(
    store: Store, time: Time, log: Log
) -> None:
    await vote(store, "new")
    time.wall += 3 * 365 * DAY
    retention = Retention(store, log.telemetry, 30, lambda: time.steady)
    await retention.delete_expired()
    time.wall -= 3 * 365 * DAY  # it is set right
    time.passes(3_600)
    await retention.delete_expired()
    assert await kept(store) == {"new"}
    assert log.events == ["retention_postponed"]


async def test_a_clock_that_jumps_while_serving_deletes_nothing(store: Store, time: Time, log: Log) -> None:
    await vote(store, "new")
    retention = Retention(store, log.telemetry, 30, lambda: time.steady)
    await retention.delete_expired()
    time.wall += 40 * DAY
    await vote(store, "by the wrong clock")
    await retention.delete_expired()
    time.wall -= 40 * DAY
    time.passes(3_600)
    await retention.delete_expired()
    assert await kept(store) == {"new", "by the wrong clock"}


async def test_a_store_that_was_quiet_for_long_is_cleared_an_hour_later(store: Store, time: Time, log: Log) -> None:
    await vote(store, "old")
    time.passes(31 * DAY)
    retention = Retention(store, log.telemetry, 30, lambda: time.steady)
    await retention.delete_expired()
    assert await kept(store) == {"old"}
    time.passes(3_600)
    await retention.delete_expired()
    assert await kept(store) == set()
    assert log.events == ["retention_postponed", "records_deleted"]


async def test_a_clock_that_jumps_twice_is_doubted_twice(store: Store, time: Time, log: Log) -> None:
    retention = Retention(store, log.telemetry, 30, lambda: time.steady)
    await retention.delete_expired()
    time.wall += 40 * DAY
    await retention.delete_expired()
    time.passes(3_600)
    await retention.delete_expired()  # it was right
    await vote(store, "new")
    time.wall += 40 * DAY
    await retention.delete_expired()
    assert await kept(store) == {"new"}
    assert log.events == ["retention_postponed", "retention_postponed"]


async def test_an_empty_store_is_no_reason_to_wait(store: Store, time: Time, log: Log) -> None:
    retention = Retention(store, log.telemetry, 30, lambda: time.steady)
    await retention.delete_expired()
    assert log.events == []
