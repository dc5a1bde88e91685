"""Readiness asks the store, but not for everybody who asks."""

import asyncio

import pytest

from canopy.api.readiness import Readiness
from canopy.base.errors import StoreError
from canopy.base.lifecycle import Lifecycle
from canopy.store.engine.causes import Quoted
from canopy.store.store import Store


async def test_many_who_ask_at_once_cost_one_question_to_the_store(store: Store) -> None:
    asked = 0

    async def ping() -> None:
        nonlocal asked
        asked += 1
        await store.ping()

    lifecycle = Lifecycle()
    readiness = Readiness(lifecycle, ping)
    assert await readiness.report() == (False, {"state": "starting", "store": "not asked"})
    lifecycle.ready()
    reports = await asyncio.gather(*(readiness.report() for _ in range(200)))
    assert reports == [(True, {"state": "ready", "store": "ok"})] * 200
    assert asked == 1
    lifecycle.drain()
    assert not (await readiness.report()).ready
    assert asked == 1


async def test_who_goes_away_while_asking_leaves_the_others_their_answer(store: Store) -> None:
    lifecycle = Lifecycle()
    lifecycle.ready()
    readiness = Readiness(lifecycle, store.ping)
    first, second = (asyncio.create_task(readiness.report()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).ready


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        (None, "The database does not answer."),
        ("The server's disk is full.", "The server's disk is full."),
        (Quoted("The server said: “no route to pg-0.internal for ana”."), "The database does not answer."),
    ],
    ids=["unknown", "known", "in the server's words"],
)
async def test_whoever_asks_reads_known_causes_and_no_words_of_the_servers(reason: str | None, told: str) -> None:
    async def ping() -> None:
        raise StoreError("The database does not answer.", reason=reason)

    lifecycle = Lifecycle()
    lifecycle.ready()
    assert await Readiness(lifecycle, ping).report() == (False, {"state": "ready", "store": told})
