"""Many responses under one request id, or with the same texts, make no vote slow.

A client chooses the request id by its header `traceparent`, and asks the same question as often as it likes. What is
counted is steps of SQLite's machine or rows that PostgreSQL reads; never time.
"""

from dataclasses import replace

from canopy.base.errors import AmbiguousRequestId
from canopy.store.generations.generation import Generation
from canopy.store.store import Store
from tests.contract.store.costs import metered
from tests.contract.store.records import NOON, a_generation, a_vote, on_texts

FEW, MANY = 300, 20_000
FIRST = a_generation(trace_id="a" * 32, session_id=None, user_id=None)


def record(store: Store, first: int, end: int) -> None:
    """As many generations with one trace and the same texts, each newer than the one before."""
    with store.executor.database.writer.begin() as conn:
        for start in range(first, end, 1_000):
            some = range(start, min(start + 1_000, end))
            store.generations.record_all(conn, [replace(FIRST, id=f"gen_{i:032x}", created_at=NOON + i) for i in some])


async def votes_cost(store: Store, mine: Generation) -> int:
    """What it costs to find `mine` by its request id and by its texts, and to find that nobody can tell which."""
    by_request, by_texts = a_vote(request_id=FIRST.trace_id), on_texts(FIRST.input_text, FIRST.response_text)
    with metered(store, store.executor.database.writer) as cost, store.executor.database.writer.begin() as conn:
        for vote in (by_request, by_texts):
            (receipt,) = store.feedback.votes.record(conn, [vote._replace(session_id="mine", voter="mine")])
            assert not isinstance(receipt, Exception)
            assert receipt.generation_id == mine.id
        (ambiguous,) = store.feedback.votes.record(conn, [by_request])
        assert isinstance(ambiguous, AmbiguousRequestId)
    return cost.amount


async def test_what_a_vote_costs_among_many(store: Store) -> None:
    record(store, 0, FEW)
    mine = replace(FIRST, id="gen_mine", created_at=NOON + FEW, session_id="mine")
    await store.generations.record(mine)
    among_few = await votes_cost(store, mine)
    record(store, FEW, MANY)
    again = replace(mine, id="gen_mine_again", created_at=NOON + MANY, session_id="mine")
    await store.generations.record(again)
    assert await votes_cost(store, again) < 1.5 * among_few
