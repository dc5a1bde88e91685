"""The items of the review queue, which the writer keeps: always what the votes, labels and reviews make them."""

import random
from typing import Any

import pytest
from sqlalchemy import event, select, text

from canopy.store.feedback.query import Filter
from canopy.store.feedback.recount import is_outdated, recount
from canopy.store.opening import open_store
from canopy.store.review_tables import review_counts, review_items
from canopy.store.reviews.review import Review
from canopy.store.store import Store
from tests.contract.store.costs import metered
from tests.contract.store.earlier import downgrade
from tests.contract.store.records import DOWN, HOUR, Clock, a_generation, a_vote, on_texts
from tests.contract.store.test_judgements import a_label

_LABELS: list[dict[str, Any]] = [
    {"value": "hallucination_detected", "sentiment": -1},
    {"value": "supported", "sentiment": 1},
]


def _rows(store: Store) -> tuple[list[Any], list[Any]]:
    with store.executor.database.reader.connect() as conn:
        items = [tuple(row) for row in conn.execute(select(review_items).order_by(*review_items.primary_key))]
        counts = [tuple(row) for row in conn.execute(select(review_counts).order_by(*review_counts.primary_key))]
    return items, counts


def _recounted(store: Store) -> tuple[list[Any], list[Any]]:
    """What the items would be, were they made from nothing but votes, labels and reviews."""
    with store.executor.database.writer.begin() as conn:
        recount(conn, [None])
    return _rows(store)


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_happens_items_and_counts_are_what_is_there(store: Store, clock: Clock, seed: int) -> None:
    chance = random.Random(seed)
    generations = [a_generation(input_text=f"text {n % 4}", user_id=f"user {n % 3}") for n in range(8)]
    for generation in generations:
        await store.generations.record(generation)

    async def step() -> None:
        generation = chance.choice(generations)
        match chance.randrange(10):
            case 0 | 1 | 2:
                vote = chance.choice([DOWN, {}, {"kind": "score", "value": "3", "sentiment": 0}])
                await store.feedback.record(a_vote(generation, voter=f"session:{chance.randrange(3)}", **vote))
            case 3 | 4:
                await store.feedback.record(a_label(generation, **chance.choice(_LABELS)))
            case 5:  # the same voter names another feature
                feature = chance.choice(["summarize", "translate", "summarize_chat"])
                await store.feedback.record(on_texts("text 1", voter="session:t", feature=feature, **DOWN))
            case 6:
                entries = (await store.feedback.page(Filter(source="any"), 50, None)).feedback
                if entries:
                    await store.feedback.retract(chance.choice(entries).id)
            case 7:
                page = await store.reviews.page(Filter(source="any"), "all", 50, None)
                if page.cases:
                    case = chance.choice(page.cases)
                    actions = ["expected_result", "fine", "dismiss", "reopen"]
                    actions += ["judge_wrong"] if case.item.judges else []
                    actions += ["undo"] if any(not it.undone and it.action != "undo" for it in case.steps) else []
                    action: Any = chance.choice(actions)
                    expected = "Good." if action == "expected_result" else ""
                    await store.reviews.record(Review(None, None, None, expected, case.item.key, action))
            case 8:
                clock.now += HOUR // 4
            case 9 if chance.random() < 0.1:
                await store.deletion.erase(user_id=f"user {chance.randrange(3)}")

    for _ in range(60):
        try:
            await step()
        except Exception as error:
            if type(error).__name__ != "GenerationNotFound":  # it was erased
                raise
    assert not is_outdated(store.executor.database)
    kept = _rows(store)
    assert kept == _recounted(store)
    await store.deletion.prune(clock.now - HOUR)
    kept = _rows(store)
    assert kept == _recounted(store)
    await store.deletion.prune(clock.now + HOUR)
    assert _rows(store) == ([], [])


async def test_what_a_version_without_items_wrote_is_counted_anew(store: Store) -> None:
    for name in ("one", "two", "three"):
        await store.feedback.record(on_texts(name, **DOWN))
    await store.reviews.record(Review("summarize", None, "two", "Good."))
    kept = _rows(store)
    database = store.executor.database
    assert not is_outdated(database)
    # As that version leaves it: the votes and the review are there, and nothing of the items.
    with database.writer.begin() as conn:
        for table in ("review_items", "review_counts", "review_events"):
            conn.execute(text(f"DELETE FROM {table}"))  # noqa: S608  # names from here
    assert is_outdated(database)
    with database.writer.begin() as conn:
        recount(conn, [None])
    assert not is_outdated(database)
    assert [row[:9] for row in _rows(store)[0]] == [row[:9] for row in kept[0]]
    assert _rows(store)[1] == kept[1]
    # A review alone, too.
    with database.writer.begin() as conn:
        conn.execute(text("DELETE FROM reviews"))
    assert is_outdated(database)
    with database.writer.begin() as conn:
        recount(conn, [None])
    assert await store.reviews.counts(Filter(source="any")) == (3, 0, 0, 0)


async def test_praise_costs_the_writer_nothing_for_the_queue(store: Store) -> None:
    """A batch without bad verdicts has the statements that it had before there were items."""
    statements: list[str] = []
    engine = store.executor.database.writer
    event.listen(engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    await store.feedback.record(on_texts("liked"))
    assert not any("review" in it for it in statements)
    await store.feedback.record(on_texts("disliked", **DOWN))
    assert sum("review" in it for it in statements) == 3


async def test_the_newest_of_many_bad_votes_is_found_when_it_goes_without_a_look_at_all(store: Store) -> None:
    costs = []
    for amount in (1_000, 4_000):
        votes = [on_texts("one", voter=f"session:{amount}-{n}", **DOWN) for n in range(amount)]
        with store.executor.database.writer.begin() as conn:
            newest: Any = store.feedback.votes.record(conn, votes)[-1]
        with metered(store, store.executor.database.writer) as spent:
            await store.feedback.retract(newest.feedback_id)
        costs.append(spent.amount)
    (case,) = (await store.reviews.page(Filter(source="any"), "waiting", 1, None)).cases
    assert case.item.people == 4_998
    assert costs[1] <= 1.5 * costs[0] + 20


async def test_the_migration_fills_the_queue_with_what_there_is(new_url: str) -> None:
    store = open_store(new_url)
    await store.start()
    both = a_generation(input_text="both")
    await store.generations.record(both)
    await store.feedback.record(a_vote(both, voter="session:a", **DOWN))
    await store.feedback.record(a_label(both, **_LABELS[0]))
    for name in ("expected", "liked and expected"):
        await store.feedback.record(on_texts(name, **(DOWN if name == "expected" else {})))
        await store.reviews.record(Review("summarize", None, name, "Good."))
    await store.feedback.record(on_texts("of a conversation", feature="summarize_chat", **DOWN))
    items, counts = _rows(store)
    assert [row[:9] for row in items] == [row[:9] for row in _recounted(store)[0]]
    await store.close()
    downgrade(new_url, "0019")
    store = open_store(new_url)
    await store.start()
    assert [row[:9] for row in _rows(store)[0]] == [row[:9] for row in items]
    assert _rows(store)[1] == counts
    assert not is_outdated(store.executor.database)
    await store.close()
