"""The limit on silence blames the model alone."""

import asyncio
import time

import pytest

from canopy.inference.watchdog import Watchdog


async def test_a_wait_past_the_limit_is_ended() -> None:
    watchdog = Watchdog(0.01)
    with pytest.raises(TimeoutError), watchdog:
        await asyncio.Event().wait()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_signs_of_life_keep_a_wait_going() -> None:
    watchdog = Watchdog(0.1)
    for _ in range(15):
        with watchdog:
            await asyncio.sleep(0.01)
        watchdog.restart(0.1)
    watchdog.stop()


async def test_a_process_that_stood_still_is_not_the_models_silence() -> None:
    watchdog = Watchdog(0.02)
    token = asyncio.Event()
    asyncio.get_running_loop().call_later(0.01, token.set)
    asyncio.get_running_loop().call_soon(time.sleep, 0.05)
    with watchdog:
        await token.wait()
    watchdog.stop()


async def test_a_shorter_limit_holds_at_once() -> None:
    watchdog = Watchdog(60)
    watchdog.restart(0.01)
    with pytest.raises(TimeoutError), watchdog:
        await asyncio.Event().wait()


async def test_a_reader_that_takes_its_time_is_not_the_models_silence() -> None:
    watchdog = Watchdog(0.05)
    await asyncio.sleep(0.1)
    with watchdog:
        await asyncio.sleep(0.01)
    watchdog.stop()


async def test_a_reader_that_took_its_time_still_waits_no_longer_than_the_limit() -> None:
    watchdog = Watchdog(0.02)
    await asyncio.sleep(0.04)
    with pytest.raises(TimeoutError), watchdog:
        await asyncio.Event().wait()


async def test_a_cancellation_from_outside_stays_one() -> None:
    async def wait() -> None:
        watchdog = Watchdog(60)
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
