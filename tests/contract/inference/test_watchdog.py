"""The limit on silence blames the model alone."""

import asyncio

import pytest

from canopy.inference.watchdog import Watchdog

LIMIT = 60.0  # seconds, of a clock that goes on when a test says so


class Clock:
    """The event loop's own, put forward."""

    def __init__(self, loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch) -> None:
        self._ahead = 0.0
        real = loop.time
        monkeypatch.setattr(loop, "time", lambda: real() + self._ahead)

    def stand_still(self, seconds: float) -> None:
        """Let so much time pass in which the loop does nothing, as when the process is stopped."""
        self._ahead += seconds

    async def go_on(self, seconds: float) -> None:
        """Let so much time pass, and whatever is due be done."""
        self.stand_still(seconds)
        for _ in range(10):
            await asyncio.sleep(0)


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(asyncio.get_running_loop(), monkeypatch)


async def test_a_wait_past_the_limit_is_ended(clock: Clock) -> None:
    watchdog = Watchdog(LIMIT)
    with pytest.raises(TimeoutError), watchdog:
        await clock.go_on(LIMIT - 1)
        await clock.go_on(2)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_signs_of_life_keep_a_wait_going(clock: Clock) -> None:
    watchdog = Watchdog(LIMIT)
    for _ in range(15):
        with watchdog:
            await clock.go_on(LIMIT - 1)
        watchdog.restart(LIMIT)
    watchdog.stop()


async def test_a_process_that_stood_still_is_not_the_models_silence(clock: Clock) -> None:
    watchdog = Watchdog(LIMIT)
    token = asyncio.Event()
    loop = asyncio.get_running_loop()
    with watchdog:
        clock.stand_still(2 * LIMIT)
        loop.call_soon(loop.call_soon, token.set)  # as a socket, its protocol and its reader hand it on
        await token.wait()
    watchdog.stop()


async def test_a_shorter_limit_holds_at_once(clock: Clock) -> None:
    watchdog = Watchdog(LIMIT)
    watchdog.restart(1)
    with pytest.raises(TimeoutError), watchdog:
        await clock.go_on(2)


async def test_a_reader_that_takes_its_time_is_not_the_models_silence(clock: Clock) -> None:
    watchdog = Watchdog(LIMIT)
    await clock.go_on(2 * LIMIT)
    with watchdog:
        await clock.go_on(LIMIT - 1)
    watchdog.stop()


async def test_a_reader_that_took_its_time_still_waits_no_longer_than_the_limit(clock: Clock) -> None:
    watchdog = Watchdog(LIMIT)
    await clock.go_on(2 * LIMIT)
    with pytest.raises(TimeoutError), watchdog:
        await clock.go_on(LIMIT - 1)
        await clock.go_on(2)


async def test_a_cancellation_from_outside_stays_one() -> None:
    async def wait() -> None:
        watchdog = Watchdog(LIMIT)
        try:
            with watchdog:
                await asyncio.Event().wait()
        finally:
            watchdog.stop()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
