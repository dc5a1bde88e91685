"""What feedback leaves behind for MLflow, in the transaction that stores it, on both engines."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from canopy.base.errors import GenerationNotFound, StoreError
from canopy.base.ids import new_trace_id
from canopy.store.generations.generation import Generation
from canopy.store.opening import open_store
from canopy.store.outbox.deliveries import Delivery, DeliveryResult
from canopy.store.store import Store
from tests.contract.store.records import DOWN, NOON, Clock, a_ballot, a_comparison, a_generation, a_vote, on_texts

LEASE = 60_000_000  # microseconds
SPAN = "00f067aa0ba902b7"


@pytest.fixture(autouse=True)
def configured(store: Store) -> None:
    store.outbox.on = True


@pytest.fixture
async def other(store_url: str, clock: Clock) -> AsyncGenerator[Store]:
    """Another replica."""
    replica = open_store(store_url, clock=clock)
    await replica.start()
    yield replica
    await replica.close()


async def traced(store: Store, **fields: Any) -> Generation:
    generation = a_generation(span_id=SPAN, **fields)
    await store.generations.record(generation)
    return generation


async def one(store: Store) -> Delivery:
    (delivery,) = await store.outbox.claim(10, LEASE)
    return delivery


async def settle(store: Store, it: Delivery, outcome: Any = "delivered", **more: Any) -> None:
    await store.outbox.settle(DeliveryResult(it.subject, it.claim, it.revision, outcome, **more))


async def test_a_vote_is_to_be_delivered_as_it_is_now(store: Store) -> None:
    generation = await traced(store)
    receipt = await store.feedback.record(
        a_vote(generation, voter="v", user_id="ann", source_id="ann", comment="Good.")
    )
    it = await one(store)
    assert (it.subject, it.trace_id, it.sent, it.failures) == (receipt.feedback_id, generation.trace_id, False, 0)
    assert it.snapshot is not None
    assert (it.snapshot.name, it.snapshot.kind, it.snapshot.value) == ("user_satisfaction", "thumbs", "thumbs_up")
    assert (it.snapshot.source, it.snapshot.source_id, it.snapshot.comment) == ("HUMAN", "ann", "Good.")
    assert (it.snapshot.span_id, it.snapshot.generation_id) == (SPAN, generation.id)


async def test_a_vote_on_what_mlflow_has_no_trace_of_is_not_delivered(store: Store) -> None:
    untraced = a_generation()
    await store.generations.record(untraced)
    await store.feedback.record(a_vote(untraced, voter="v"))
    await store.feedback.record(on_texts())
    assert (await store.outbox.backlog()).depth == 0


async def test_a_vote_while_nothing_is_configured_is_not_delivered(store: Store) -> None:
    store.outbox.on = False
    await store.feedback.record(a_vote(await traced(store), voter="v"))
    assert (await store.outbox.backlog()).depth == 0


async def test_changes_before_the_delivery_are_one_delivery_of_the_newest_state(store: Store) -> None:
    generation = await traced(store)
    await store.feedback.record(a_vote(generation, voter="v"))
    await store.feedback.record(a_vote(generation, voter="v", **DOWN))
    it = await one(store)
    assert it.snapshot is not None
    assert it.snapshot.value == "thumbs_down"
    await settle(store, it)
    assert await store.outbox.claim(10, LEASE) == []


async def test_a_change_during_the_delivery_is_delivered_after_it(store: Store) -> None:
    generation = await traced(store)
    await store.feedback.record(a_vote(generation, voter="v"))
    first = await one(store)
    await store.feedback.record(a_vote(generation, voter="v", **DOWN))
    assert await store.outbox.claim(10, LEASE) == []  # never two deliveries of one subject at once
    await settle(store, first)
    second = await one(store)
    assert second.sent
    assert second.snapshot is not None
    assert second.snapshot.value == "thumbs_down"


async def test_two_replicas_never_get_the_same_delivery(store: Store, other: Store) -> None:
    for _ in range(5):
        await store.feedback.record(a_vote(await traced(store), voter="v"))
    mine = await store.outbox.claim(3, LEASE)
    theirs = await other.outbox.claim(10, LEASE)
    assert (len(mine), len(theirs)) == (3, 2)
    assert {it.subject for it in mine} & {it.subject for it in theirs} == set()


async def test_what_a_killed_replica_held_comes_back_when_its_lease_ends(
    store: Store, other: Store, clock: Clock
) -> None:
    await store.feedback.record(a_vote(await traced(store), voter="v"))
    lost = await one(store)
    assert await other.outbox.claim(10, LEASE) == []
    clock.now += LEASE
    found = await one(other)
    assert (found.subject, found.sent) == (lost.subject, True)
    await settle(store, lost)  # too late: it holds nothing any more
    assert (await store.outbox.backlog()).depth == 1
    await settle(other, found)
    assert (await store.outbox.backlog()).depth == 0


@pytest.mark.parametrize("on", [True, False], ids=["configured", "switched off meanwhile"])
async def test_a_vote_taken_back_leaves_a_delivery_that_states_nothing(store: Store, on: bool) -> None:
    receipt = await store.feedback.record(a_vote(await traced(store), voter="v"))
    await settle(store, await one(store))
    store.outbox.on = on
    await store.feedback.retract(receipt.feedback_id)
    it = await one(store)
    assert (it.subject, it.snapshot, it.sent) == (receipt.feedback_id, None, True)
    await settle(store, it, "removed")
    assert (await store.outbox.backlog()).depth == 0


async def test_a_vote_changed_while_switched_off_is_still_put_right_at_mlflow(store: Store) -> None:
    generation = await traced(store)
    await store.feedback.record(a_vote(generation, voter="v"))
    await settle(store, await one(store))
    store.outbox.on = False
    await store.feedback.record(a_vote(generation, voter="v", **DOWN))
    it = await one(store)
    assert it.snapshot is not None
    assert it.snapshot.value == "thumbs_down"


async def test_erasing_a_user_and_pruning_take_everything_back_at_mlflow(store: Store) -> None:
    mine = await store.feedback.record(a_vote(await traced(store), voter="v", user_id="ann"))
    old = await store.feedback.record(a_vote(await traced(store), voter="w"))
    comparison = await a_comparison(store, user_id="ann", span_id=SPAN)
    await store.comparisons.record_ballot(a_ballot(comparison, "a"))
    for it in await store.outbox.claim(10, LEASE):
        await settle(store, it)
    await store.deletion.erase(user_id="ann")
    gone = await store.outbox.claim(10, LEASE)
    assert {it.subject for it in gone} == {mine.feedback_id, comparison.generation_a, comparison.generation_b}
    assert [it.snapshot for it in gone] == [None] * 3
    await store.deletion.prune(NOON * 2)
    (pruned,) = await store.outbox.claim(10, LEASE)
    assert (pruned.subject, pruned.snapshot) == (old.feedback_id, None)


@pytest.mark.parametrize(
    ("preference", "of_a", "of_b"),
    [
        ("a", "preferred", "rejected"),
        ("b", "rejected", "preferred"),
        ("tie", "tie", "tie"),
        ("both_bad", "both_bad", "both_bad"),
    ],
)
async def test_a_ballot_is_a_delivery_for_each_side(store: Store, preference: Any, of_a: str, of_b: str) -> None:
    comparison = await a_comparison(store, user_id="ann", span_id=SPAN)
    await store.comparisons.record_ballot(a_ballot(comparison, preference, comment="Because."))
    claimed = await store.outbox.claim(10, LEASE)
    found = {it.subject: it.snapshot for it in claimed}
    assert found.keys() == {comparison.generation_a, comparison.generation_b}
    assert [f"gen_{it.trace_id}" for it in claimed] == [it.subject for it in claimed]
    for generation, verdict in ((comparison.generation_a, of_a), (comparison.generation_b, of_b)):
        snapshot = found[generation]
        assert snapshot is not None
        assert (snapshot.name, snapshot.kind, snapshot.value) == ("ab_preference", None, verdict)
        assert (snapshot.source_id, snapshot.comment, snapshot.span_id) == ("ann", "Because.", SPAN)


async def test_a_vote_on_one_side_of_a_comparison_goes_to_the_trace_of_that_side_and_may_name_it(store: Store) -> None:
    comparison = await a_comparison(store, span_id=SPAN)
    store.outbox.on = False
    await store.comparisons.record_ballot(a_ballot(comparison, "a"))
    store.outbox.on = True
    trace_id = comparison.generation_b.removeprefix("gen_")
    receipt = await store.feedback.record(a_vote(request_id=trace_id, voter="v"))
    it = await one(store)
    assert (it.subject, it.trace_id) == (receipt.feedback_id, trace_id)
    assert receipt.generation_id == comparison.generation_b
    by_id = await store.feedback.record(a_vote(generation_id=comparison.generation_b, voter="w"))
    again = {found.subject: found.trace_id for found in await store.outbox.claim(10, LEASE)}
    assert again == {by_id.feedback_id: trace_id}


async def test_no_other_generations_id_stands_for_a_trace(store: Store) -> None:
    generation = await traced(store)
    with pytest.raises(GenerationNotFound):
        await store.feedback.record(a_vote(request_id=generation.id.removeprefix("gen_"), voter="v"))


async def test_a_failed_delivery_is_due_when_it_says_so(store: Store, clock: Clock) -> None:
    await store.feedback.record(a_vote(await traced(store), voter="v"))
    it = await one(store)
    await settle(store, it, "later", due_at=clock.now + 5_000_000, problem="MLflow doesn't know the trace yet.")
    assert await store.outbox.claim(10, LEASE) == []
    clock.now += 5_000_000
    again = await one(store)
    assert (again.failures, again.waiting_since) == (1, it.waiting_since)


async def test_the_backlog_tells_depth_age_and_what_is_parked(store: Store) -> None:
    assert await store.outbox.backlog() == (0, None, 0, False)
    await store.feedback.record(a_vote(await traced(store), voter="v"))
    await store.feedback.record(a_vote(await traced(store), voter="v"))
    first, second = await store.outbox.claim(10, LEASE)
    await settle(store, first, "parked", problem="MLflow refuses it.")
    backlog = await store.outbox.backlog()
    assert (backlog.depth, backlog.oldest, backlog.parked) == (1, second.waiting_since, 1)
    (parked,) = await store.outbox.waiting(10, parked=True)
    assert (parked.subject, parked.problem) == (first.subject, "MLflow refuses it.")
    (waiting,) = await store.outbox.waiting(10, parked=False)
    assert waiting.subject == second.subject


async def test_parked_deliveries_are_retried_by_their_ids_or_all(store: Store) -> None:
    for _ in range(3):
        await store.feedback.record(a_vote(await traced(store), voter="v"))
    held = await store.outbox.claim(10, LEASE)
    for it in held:
        await settle(store, it, "parked", problem="No.")
    assert await store.outbox.retry([held[0].subject, new_trace_id()]) == 1
    assert (await one(store)).subject == held[0].subject
    assert await store.outbox.retry(None) == 2
    assert {it.subject for it in await store.outbox.claim(10, LEASE)} == {it.subject for it in held[1:]}


async def test_a_vote_that_is_not_stored_leaves_no_delivery(store: Store) -> None:
    """Both are one transaction: here the vote's own text breaks it."""
    generation = await traced(store)
    with pytest.raises(StoreError, match="can't hold"):
        await store.feedback.record(a_vote(generation, voter="v", comment="\ud800"))
    assert (await store.outbox.backlog()).depth == 0
