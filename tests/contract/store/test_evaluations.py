"""What evaluations asked for is left out by judges and votes, and retention counts it apart."""

import pytest

from canopy.base.errors import InputError
from canopy.store.deletion import DeletedCounts
from canopy.store.store import Store
from tests.contract.store.records import NOON, a_generation, a_vote


async def test_no_judge_has_a_turn_on_an_evaluation(store: Store) -> None:
    users, tested = a_generation(), a_generation(evaluation=True)
    for each in (users, tested):
        await store.generations.record(each)
    assert [it.generation_id for it in await store.judgements.unjudged("accuracy", "v1", 0, None, 10)] == [users.id]


async def test_nobody_votes_on_an_evaluation(store: Store) -> None:
    tested = a_generation(evaluation=True)
    await store.generations.record(tested)
    with pytest.raises(InputError, match="asked for by an evaluation"):
        await store.feedback.record(a_vote(tested))


async def test_retention_deletes_evaluations_and_counts_them_apart(store: Store) -> None:
    for each in (a_generation(), a_generation(evaluation=True), a_generation(evaluation=True)):
        await store.generations.record(each)
    assert await store.deletion.prune(NOON + 1) == DeletedCounts(
        generations=1, feedback=0, comparisons=0, evaluations=2
    )
