"""Votes that come at the same time: each gets its own answer, and none another's error."""

import asyncio
import threading
from collections.abc import Sequence

from sqlalchemy import Connection, event

from canopy.base.errors import CanopyError, GenerationNotFound, IdempotencyConflict, InputError, StoreError
from canopy.store.feedback.query import Filter
from canopy.store.feedback.vote import Receipt, Vote
from canopy.store.opening import open_store
from canopy.store.store import Store
from tests.contract.store.records import a_generation, a_vote, everything, on_texts


async def test_votes_that_come_at_once_count_one_after_the_other(store: Store) -> None:
    generation = a_generation()
    await store.generations.record(generation)
    values = ["1", "5", "2", "4", "3"] * 8
    receipts = await asyncio.gather(
        *(store.feedback.record(a_vote(generation, voter="v", kind="score", value=value)) for value in values)
    )
    assert [receipt.outcome for receipt in receipts] == ["created"] + ["replaced"] * (len(values) - 1)
    assert [receipt.value for receipt in receipts] == values
    assert len({receipt.feedback_id for receipt in receipts}) == 1
    (entry,) = await everything(store)
    assert (entry.value, entry.timestamp) == ("3", receipts[-1].timestamp)
    assert [(count.value, count.n) for count in await store.feedback.counts(Filter())] == [("3", 1)]


async def test_retries_that_come_at_once_write_once(store: Store) -> None:
    one = on_texts(idempotency_key="key", body_digest=b"one")
    other = one._replace(body_digest=b"two")
    outcomes = await asyncio.gather(
        *(store.feedback.record(vote) for vote in [one, one, other, one] * 5), return_exceptions=True
    )
    receipts = [outcome for outcome in outcomes if isinstance(outcome, Receipt)]
    assert sum(isinstance(outcome, IdempotencyConflict) for outcome in outcomes) == 5
    assert [receipt.outcome for receipt in receipts] == ["created"] + ["repeated"] * 14
    assert len({receipt.feedback_id for receipt in receipts}) == 1
    assert await store.feedback.count(Filter()) == 1


async def test_a_bad_vote_fails_alone(store: Store) -> None:
    generation = a_generation()
    await store.generations.record(generation)
    bad: dict[int, tuple[Vote, type[CanopyError]]] = {
        3: (a_vote(generation_id="gen_unknown", voter="v"), GenerationNotFound),
        7: (a_vote(generation, voter="v", comment="\ud800"), StoreError),
        11: (on_texts("\udfff"), StoreError),
        15: (on_texts(feature=None), InputError),
    }
    votes = [bad[i][0] if i in bad else a_vote(generation, voter=f"v{i}") for i in range(20)]
    outcomes = await asyncio.gather(*(store.feedback.record(vote) for vote in votes), return_exceptions=True)
    for i, outcome in enumerate(outcomes):
        if i in bad:
            assert isinstance(outcome, bad[i][1])
        else:
            assert isinstance(outcome, Receipt)
            assert outcome.outcome == "created"
    assert await store.feedback.count(Filter()) == 16
    assert sum(count.n for count in await store.feedback.counts(Filter())) == 16


async def test_a_caller_that_gives_up_spoils_nothing(store: Store) -> None:
    tasks = [asyncio.ensure_future(store.feedback.record(on_texts(voter=f"v{i}"))) for i in range(40)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(outcome, Receipt) for outcome in outcomes[1::2])
    assert (await store.feedback.record(on_texts(voter="last"))).outcome == "created"


async def test_32_callers_get_each_their_own_answer(store: Store) -> None:
    generations = [a_generation() for _ in range(10)]
    await asyncio.gather(*(store.generations.record(generation) for generation in generations))

    async def caller(number: int) -> list[Receipt]:
        return [
            await store.feedback.record(a_vote(generation, voter=f"v{number}", comment=f"{number} {generation.id}"))
            for generation in generations
        ]

    receipts = await asyncio.gather(*(caller(number) for number in range(32)))
    entries = {entry.id: entry for entry in await everything(store)}
    assert len(entries) == 320
    for number, own in enumerate(receipts):
        for generation, receipt in zip(generations, own, strict=True):
            assert entries[receipt.feedback_id].comment == f"{number} {generation.id}"
            assert entries[receipt.feedback_id].generation_id == generation.id


async def test_votes_that_wait_share_a_transaction(store: Store) -> None:
    """They come one by one while the writer is busy. A commit waits for the disk: it is what a vote costs."""
    busy, goes_on = threading.Event(), threading.Event()
    commits = 0

    def block(_: Connection, items: Sequence[None]) -> Sequence[None]:
        busy.set()
        goes_on.wait()
        return items

    def count(_: Connection) -> None:
        nonlocal commits
        commits += 1

    first = asyncio.ensure_future(store.executor.writer.submit(block, None))
    await asyncio.to_thread(busy.wait)
    votes = []
    for number in range(200):
        votes.append(asyncio.ensure_future(store.feedback.record(on_texts(voter=f"v{number}"))))
        await asyncio.sleep(0)
    await asyncio.sleep(0.05)  # the last one is handed over, too
    event.listen(store.executor.database.writer, "commit", count)
    goes_on.set()
    await asyncio.gather(first, *votes)
    assert commits == 2
    assert await store.feedback.count(Filter()) == 200


async def test_closing_commits_what_waits(store_url: str) -> None:
    store = open_store(store_url)
    await store.start()
    tasks = [asyncio.ensure_future(store.feedback.record(on_texts(voter=f"v{i}"))) for i in range(300)]
    await asyncio.sleep(0)
    await store.close()
    receipts = await asyncio.gather(*tasks)
    store = open_store(store_url)
    await store.start()
    assert {entry.id for entry in await everything(store)} == {receipt.feedback_id for receipt in receipts}
    await store.close()
