"""What the page of one response reads: the response, by its id or its request's, its vote, and its ballot."""

from canopy.store.keys import voter_of
from canopy.store.store import Store
from tests.contract.store.records import NOON, a_ballot, a_comparison, a_generation, a_vote


async def test_the_newest_generations_of_a_request_are_found(store: Store) -> None:
    made = [a_generation(trace_id="a" * 32, created_at=NOON + number) for number in range(25)]
    for generation in (*made, a_generation()):
        await store.generations.record(generation)
    found = await store.generations.of_trace("a" * 32)
    assert [it.id for it in found] == [it.id for it in reversed(made)][:20]
    assert found[0] == made[-1]
    assert await store.generations.of_trace("b" * 32) == []


async def test_the_vote_of_one_voter_is_found_and_nobody_elses(store: Store) -> None:
    generation = a_generation(session_id="mine")
    await store.generations.record(generation)
    mine, other = (voter_of(None, None, name) for name in ("mine", "other"))
    receipt = await store.feedback.record(a_vote(generation, voter=mine, session_id="mine", comment="Mine."))
    await store.feedback.record(a_vote(generation, voter=other, session_id="other", comment="Theirs."))
    found = await store.feedback.of_voter(generation.id, mine, "user_satisfaction")
    assert found is not None
    assert (found.id, found.comment) == (receipt.feedback_id, "Mine.")
    assert await store.feedback.of_voter(generation.id, mine, "another_name") is None
    assert await store.feedback.of_voter(generation.id, voter_of("mine", None, None), "user_satisfaction") is None
    await store.feedback.retract(receipt.feedback_id)
    assert await store.feedback.of_voter(generation.id, mine, "user_satisfaction") is None


async def test_a_ballot_is_read_once_there_is_one(store: Store) -> None:
    comparison = await a_comparison(store, prompt_b_side="a")
    await a_comparison(store)
    assert await store.experiments.ballot(comparison.id) is None
    assert await store.experiments.ballot("cmp_none") is None
    await store.comparisons.record_ballot(a_ballot(comparison, "a"))
    found = await store.experiments.ballot(comparison.id)
    assert found is not None
    assert (found.comparison_id, found.preference, found.winner) == (comparison.id, "a", "prompt_b")
    assert (found.generation_a, found.prompt_b_side) == (comparison.generation_a, "a")
