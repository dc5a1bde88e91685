"""What pages and counts cost must not depend on how much there is: rows read and steps taken, not time."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import insert, select

from canopy.base.ids import new_id
from canopy.store.experiments.ballot_counts import IN_FORCE
from canopy.store.experiments.experiment import Comparison
from canopy.store.feedback.query import Filter
from canopy.store.store import Store
from canopy.store.tables import ballot_counts, comparisons
from tests.contract.store.costs import gather_statistics, metered
from tests.contract.store.records import HOUR, NOON, Clock, a_ballot, a_generation, a_vote, an_experiment, on_texts

pytestmark = pytest.mark.long

FEW, MANY = 1_000, 20_000
HOURS = 8
RATINGS = [("thumbs", "thumbs_up", 1), ("thumbs", "thumbs_up", 1), ("thumbs", "thumbs_down", -1)]
RARE = ("label", "rare", 0)

FILTERS = [
    Filter(),
    Filter(value="thumbs_down"),
    Filter(value="rare"),
    Filter(value="never"),
    Filter(sentiment=-1),
    Filter(sentiment=0),
    Filter(feature="chat"),
    Filter(prompt_id="sha256:two"),
    Filter(feature="chat", prompt_id="sha256:two", sentiment=1),
    Filter(feature="chat", value="rare"),
    Filter(since=NOON + HOUR, until=NOON + 6 * HOUR),
    Filter(value="rare", since=NOON + HOUR),
    Filter(sentiment=-1, until=NOON + 6 * HOUR),
]

NOTHING = [Filter(value="never"), Filter(value="rare", since=NOON + HOUR)]


async def _fill(store: Store, clock: Clock, amount: int) -> None:
    """Votes over `HOURS` hours; the rare label is on the first few, so that it lies at the far end of the list."""
    generations = [
        a_generation(feature=feature, prompt_id=prompt, input_text=f"{feature} {prompt}")
        for feature in ("summarize", "chat")
        for prompt in ("sha256:one", "sha256:two")
    ]
    votes = []
    for i in range(amount):
        kind, value, sentiment = RARE if i < 3 else RATINGS[i % 3]
        rating: dict[str, Any] = {"kind": kind, "value": value, "sentiment": sentiment}
        votes.append(
            a_vote(generations[i % 4], voter=f"v{i}", **rating) if i % 5 else on_texts(f"text {i}", voter="v", **rating)
        )
    with store.executor.database.writer.begin() as conn:
        store.generations.record_all(conn, generations)
        for hour in range(HOURS):
            clock.now = NOON + hour * HOUR
            store.feedback.votes.record(conn, votes[amount * hour // HOURS : amount * (hour + 1) // HOURS])


def _without_and_with_statistics(store: Store) -> Iterator[None]:
    """Once as the tables were filled, and once after the planner was told what is in them."""
    yield
    gather_statistics(store)
    yield


async def _costs(store: Store) -> dict[str, int]:
    costs = {}
    for where in FILTERS:
        with metered(store) as cost:
            page = await store.feedback.page(where, 20, None)
            assert page.feedback or where in NOTHING
        costs[f"page {where}"] = cost.amount
        if page.next is not None:
            with metered(store) as cost:
                await store.feedback.page(where, 20, page.next)
            costs[f"next page {where}"] = cost.amount
        with metered(store) as cost:
            await store.feedback.count(where)
        costs[f"count {where}"] = cost.amount
        if where.value not in {"rare", "never"} and where.sentiment != 0:  # what is rare is looked for in many windows
            with metered(store) as cost:
                assert await anext(store.reviews.distinct_inputs(where))
            costs[f"first inputs {where}"] = cost.amount
    return costs


async def _vote_on_comparisons(store: Store, amount: int) -> None:
    """One pair of generations in all of them: which is enough for what is measured."""
    with store.executor.database.writer.begin() as conn:
        generations = [a_generation(), a_generation()]
        store.generations.record_all(conn, generations)
        made = [
            Comparison(
                id=new_id("cmp"),
                experiment=an_experiment(id=f"exp_{i % 2}"),
                created_at=NOON,
                expires_at=NOON + 24 * HOUR,
                trace_id="",
                session_id=f"s{i}",
                user_id=None,
                config_revision="",
                prompt_b_side="a",
                generation_a=generations[0].id,
                generation_b=generations[1].id,
            )
            for i in range(amount)
        ]
        store.comparisons.record_all(conn, made)
        store.comparisons.record_ballots(conn, [a_ballot(comparison) for comparison in made])


def _copy_comparisons(store: Store, times: int) -> None:
    """Each with its ballot so many times more, in a fraction of the time that voting takes."""
    with store.executor.database.writer.begin() as conn:
        rows = [dict(row) for row in conn.execute(select(comparisons)).mappings()]
        conn.execute(insert(comparisons), [row | {"id": new_id("cmp")} for row in rows * times])


async def test_pages_of_ballots_and_what_the_newest_took_cost_the_same_however_many_there_are(store: Store) -> None:
    async def costs() -> list[int]:
        found = []
        for experiment_id in (None, "exp_1"):
            cursor = None
            for _ in range(2):
                with metered(store) as cost:
                    page = await store.experiments.ballots(experiment_id, 20, cursor)
                assert len(page.entries) == 20
                found.append(cost.amount)
                cursor = page.next
        with metered(store, store.executor.database.scanner) as cost:
            took = await store.experiment_costs.of(an_experiment(id="exp_1"), 20)
        assert (len(took.prompt), cost.amount > 0) == (20, True)
        return [*found, cost.amount]

    # With statistics, as after PostgreSQL's first minute: without, no plan for a cursor is better than a guess.
    await _vote_on_comparisons(store, 200)
    gather_statistics(store)
    few = await costs()
    _copy_comparisons(store, 20)
    gather_statistics(store)
    for before, after in zip(few, await costs(), strict=True):
        assert after <= 1.5 * before + 20


async def test_counts_of_all_ballots_cost_the_same_however_long_people_have_voted(store: Store) -> None:
    async def costs() -> list[int]:
        with metered(store) as every:
            assert (await store.experiments.ballot_counts(None)).ballots == 200
        with metered(store) as of_each:
            assert len(await store.experiments.ballot_counts_by_experiment()) == 2
        return [every.amount, of_each.amount]

    await _vote_on_comparisons(store, 200)
    few = await costs()
    with store.executor.database.writer.begin() as conn:
        hour = dict(
            conn.execute(select(ballot_counts).where(ballot_counts.c.of_first == IN_FORCE).limit(1)).mappings().one()
        )
        conn.execute(insert(ballot_counts), [hour | {"hour": NOON + number * HOUR} for number in range(1, 20_000)])
    for _ in _without_and_with_statistics(store):
        assert max(after - 1.5 * before for before, after in zip(few, await costs(), strict=True)) <= 20


async def test_pages_and_counts_cost_the_same_however_much_there_is(store: Store, clock: Clock) -> None:
    await _fill(store, clock, FEW)
    few = await _costs(store)
    await store.deletion.prune(10**17)
    await _fill(store, clock, MANY)
    assert await store.feedback.count(Filter()) == MANY
    for _ in _without_and_with_statistics(store):
        many = await _costs(store)
        for what, cost in few.items():
            # An export looks at up to 2,000 rows at once: there are twice as many as when there are few.
            factor = 4 if what.startswith("first inputs") else 1.5
            assert many[what] <= factor * cost + 20, (what, cost, many[what])
