"""Every ballot is read in the order of time, page by page, with the marks that the counts rest on."""

from sqlalchemy import update

from canopy.store.experiments.experiment import CastBallot
from canopy.store.store import Store
from canopy.store.tables import comparisons
from tests.contract.store.records import NOON, Clock, a_ballot, a_comparison, an_experiment


async def history(store: Store, experiment_id: str, until: int | None = None, size: int = 2) -> list[CastBallot]:
    pages = [page async for page in store.ballot_history.pages(experiment_id, until, size)]
    assert all(len(page) == size for page in pages[:-1])
    return [ballot for page in pages for ballot in page]


async def test_ballots_come_in_the_order_of_their_first_form(store: Store) -> None:
    made = [await a_comparison(store, user_id=f"user {number % 3}") for number in range(5)]
    other = await a_comparison(store, experiment=an_experiment(id="exp_other"))
    await a_comparison(store)  # on which nobody votes
    for on in [*reversed(made), other]:
        await store.comparisons.record_ballot(a_ballot(on, "b"))
    await store.comparisons.record_ballot(a_ballot(made[4], "tie"))  # changes the first one
    found = await history(store, made[0].experiment.id)
    assert [it.comparison_id for it in found] == [it.id for it in reversed(made)]
    assert [it.is_first for it in found] == [True, True, True, False, False]
    assert (found[0].first_preference, found[0].preference) == ("b", "tie")
    assert found[0].updated_at > found[-1].updated_at == found[-1].voted_at
    assert found[0].voter == "user:user 1"
    assert await history(store, made[0].experiment.id, until=found[1].voted_at) == found[:2]
    assert await history(store, made[0].experiment.id, size=5) == found
    assert await store.ballot_history.voters_with_earlier_ballots(made[0].experiment.id) == frozenset()
    assert [it.comparison_id for it in await history(store, "exp_other")] == [other.id]
    assert await history(store, "exp_unknown") == []


async def test_ballots_of_one_moment_are_read_once(store: Store, clock: Clock) -> None:
    made = [await a_comparison(store, user_id=f"user {number}") for number in range(5)]
    for on in made:
        clock.now = NOON
        await store.comparisons.record_ballot(a_ballot(on))
    found = await history(store, made[0].experiment.id)
    assert [it.comparison_id for it in found] == sorted(it.id for it in made)


async def test_who_has_a_ballot_from_before_the_one_that_counts_is_told(store: Store) -> None:
    """As replicas make it whose clocks differ: the second to arrive has the earlier time."""
    for name in ("ben", "eve"):
        for _ in range(2):
            await store.comparisons.record_ballot(a_ballot(await a_comparison(store, user_id=name)))
    found = await history(store, "exp_0123456789abcdef")
    late = next(it for it in found if it.voter == "user:ben" and not it.is_first)
    earlier = update(comparisons).where(comparisons.c.id == late.comparison_id).values(voted_at=found[0].voted_at - 1)
    with store.executor.database.writer.begin() as conn:
        conn.execute(earlier)
    assert await store.ballot_history.voters_with_earlier_ballots("exp_0123456789abcdef") == {"user:ben"}
