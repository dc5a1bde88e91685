"""What must hold for any votes and any text."""

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import fields
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from canopy.base.errors import ComparisonForeign, ComparisonNotFound
from canopy.store.experiments.experiment import Comparison, FirstBallots
from canopy.store.feedback.query import Feedback, Filter
from canopy.store.feedback.vote import Receipt
from canopy.store.reviews.review import Input
from canopy.store.store import Store
from tests.contract.store.records import (
    HOUR,
    NOON,
    Clock,
    a_ballot,
    a_comparison,
    a_generation,
    a_vote,
    an_experiment,
    everything,
    on_texts,
)

ONE_STORE = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # each example empties the store itself
)

RATINGS = [("thumbs", "thumbs_up", 1), ("thumbs", "thumbs_down", -1), ("score", "3", 0)]
PROMPTS = ["sha256:one", "sha256:two"]
FEATURES = ["summarize", "chat"]

a_rating = st.sampled_from(RATINGS)
a_person = st.sampled_from(["v", "w", None])
operations = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.integers(0, 3 * HOUR)),
        st.tuples(st.just("generate"), st.sampled_from(PROMPTS), st.sampled_from(FEATURES), a_person),
        st.tuples(st.just("vote"), st.integers(0, 5), a_person.map(lambda voter: voter or "x"), a_rating),
        st.tuples(st.just("vote on texts"), st.integers(0, 2), a_person, a_rating),
        st.tuples(st.just("delete"), st.integers(0, 9)),
        st.tuples(st.just("prune"), st.integers(0, 4 * HOUR)),
        st.tuples(st.just("erase"), a_person.map(lambda user: user or "x")),
    ),
    max_size=25,
)
a_time = st.none() | st.integers(NOON - HOUR, NOON + 20 * HOUR)
filters = st.builds(
    Filter,
    value=st.none() | st.sampled_from([value for _, value, _ in RATINGS]),
    sentiment=st.sampled_from([None, None, -1, 0, 1]),
    feature=st.none() | st.sampled_from(FEATURES),
    prompt_id=st.none() | st.sampled_from(PROMPTS),
    since=a_time,
    until=a_time,
)


async def _apply(store: Store, clock: Clock, steps: list[tuple[Any, ...]]) -> None:
    generations: list[Any] = []
    receipts: list[Receipt] = []
    votes: list[Any] = []

    async def flush() -> None:
        """Send the votes that follow each other at once, so that they share transactions."""
        outcomes = await asyncio.gather(*(store.feedback.record(vote) for vote in votes), return_exceptions=True)
        receipts.extend(outcome for outcome in outcomes if isinstance(outcome, Receipt))
        votes.clear()

    for name, *arguments in steps:
        if name == "vote" and generations:
            which, voter, (kind, value, sentiment) = arguments
            on = generations[which % len(generations)]
            votes.append(a_vote(on, voter=voter, user_id=voter, kind=kind, value=value, sentiment=sentiment))
            continue
        if name == "vote on texts":
            which, voter, (kind, value, sentiment) = arguments
            vote = {"voter": voter, "user_id": voter, "kind": kind, "value": value, "sentiment": sentiment}
            votes.append(on_texts(f"text {which}", **vote))
            continue
        await flush()
        if name == "wait":
            clock.now += arguments[0]
        elif name == "generate":
            prompt, feature, user = arguments
            made = a_generation(created_at=clock(), prompt_id=prompt, feature=feature, user_id=user)
            await store.generations.record(made)
            generations.append(made)
        elif name == "delete" and receipts:
            await store.feedback.retract(receipts[arguments[0] % len(receipts)].feedback_id)
        elif name == "prune":
            await store.deletion.prune(clock.now - arguments[0])
        elif name == "erase":
            await store.deletion.erase(user_id=arguments[0])
    await flush()


def _matches(where: Filter, entry: Feedback) -> bool:
    return (
        all(
            getattr(where, field.name) in (None, getattr(entry, field.name))
            for field in fields(where)
            if field.name in {"value", "sentiment", "feature", "prompt_id"}
        )
        and (where.since is None or entry.timestamp >= where.since)
        and (where.until is None or entry.timestamp < where.until)
    )


@ONE_STORE
@given(steps=operations, some_filters=st.lists(filters, min_size=3, max_size=6))
async def test_the_counts_are_what_counting_would_give(
    store: Store, clock: Clock, steps: list[tuple[Any, ...]], some_filters: list[Filter]
) -> None:
    await store.deletion.prune(10**17)
    clock.now = NOON
    await _apply(store, clock, steps)
    entries = (await store.feedback.page(Filter(), 1000, None)).feedback
    counted = Counter((e.feature, e.name, e.kind, e.value, e.sentiment, e.prompt_id, e.model) for e in entries)
    rolled_up = {
        (c.feature, c.name, c.kind, c.value, c.sentiment, c.prompt_id, c.model): c.n
        for c in await store.feedback.counts(Filter())
    }
    assert rolled_up == dict(counted)
    by_hour = Counter((e.timestamp // HOUR * HOUR, e.sentiment) for e in entries)
    assert {(c.hour, c.sentiment): c.n for c in await store.feedback.hours(Filter())} == dict(by_hour)
    for where in some_filters:
        wanted = [entry for entry in entries if _matches(where, entry)]
        assert await store.feedback.count(where) == len(wanted), where
        assert (await store.feedback.page(where, 1000, None)).feedback == wanted, where


ballots = st.tuples(
    st.just("ballot"), st.integers(0, 5), st.sampled_from(["a", "b", "tie", "both_bad", "both_bad"]), a_person
)
comparing = st.lists(
    st.one_of(
        ballots,
        ballots,
        st.tuples(st.just("compare"), a_person, st.sampled_from(["a", "b"]), st.integers(0, HOUR)),
        st.tuples(st.just("former ballot"), st.integers(0, 5), st.sampled_from(["a", "b", "tie"])),
        st.tuples(st.just("delete feedback"), st.integers(0, 9)),
        st.tuples(st.just("look")),
        st.tuples(st.just("wait"), st.integers(0, 3 * HOUR)),
        st.tuples(st.just("prune"), st.integers(0, 4 * HOUR)),
        st.tuples(st.just("erase"), st.sampled_from(["v", "w"])),
    ),
    max_size=25,
)


@ONE_STORE
@given(steps=comparing)
async def test_both_bad_is_feedback_for_as_long_as_the_ballot_says_so(
    store: Store, clock: Clock, steps: list[tuple[Any, ...]]
) -> None:
    await store.deletion.prune(10**17)
    clock.now = NOON
    made: list[Comparison] = []
    taken_back = 0
    for name, *arguments in steps:
        if name == "compare":
            user, side, delay = arguments
            made.append(await a_comparison(store, created_at=clock(), user_id=user, prompt_b_side=side))
            clock.now += delay
        elif name == "ballot" and made:
            which, preference, user = arguments
            with suppress(ComparisonForeign, ComparisonNotFound):
                await store.comparisons.record_ballot(a_ballot(made[which % len(made)], preference, user_id=user))
        elif name == "former ballot" and made:
            which, preference = arguments
            _as_before_the_counts(store, made[which % len(made)], preference, clock())
        elif name == "look":  # which counts what is not counted yet
            await store.experiments.ballot_counts(None)
        elif name == "delete feedback" and (entries := await everything(store)):
            await store.feedback.retract(entries[arguments[0] % len(entries)].id)
            taken_back += 1
        elif name == "wait":
            clock.now += arguments[0]
        elif name == "prune":
            await store.deletion.prune(clock.now - arguments[0])
        elif name == "erase":
            await store.deletion.erase(user_id=arguments[0])

    cast = (await store.experiments.ballots(None, 1000, None)).entries
    both_bad = [entry for entry in cast if entry.preference == "both_bad"]
    expected = {key for entry in both_bad for key in (entry.generation_a, entry.generation_b)}
    found = {entry.generation_id for entry in await everything(store)}
    assert found <= expected
    assert len(expected - found) <= taken_back
    assert (
        sum(count.n for count in await store.feedback.counts(Filter()))
        == await store.feedback.count(Filter())
        == len(found)
    )
    counts = await store.experiments.ballot_counts(None)
    assert counts.ballots == len(cast)
    assert counts.both_bad == len(both_bad)
    assert counts.wins_prompt_b == sum(entry.winner == "prompt_b" for entry in cast)
    voters = {entry.user_id for entry in cast}
    firsts = await store.experiments.first_ballots(an_experiment().id)
    assert len(firsts) == len(voters)
    assert await store.experiments.first_ballot_counts(an_experiment().id) == FirstBallots.of(firsts)
    with store.executor.database.reader.connect() as conn:
        earliest = conn.exec_driver_sql(_EARLIEST).scalars().all()
        by_hour = [tuple(row) for row in conn.exec_driver_sql(_FIRST_BY_HOUR).all()]
        unequal = conn.execute(text(_UNEQUAL)).all()
    assert sorted(it.comparison_id for it in firsts) == sorted(earliest)
    hours = Counter((it.timestamp // HOUR * HOUR, it.preference) for it in firsts)
    assert by_hour == [(*key, n) for key, n in sorted(hours.items())]
    assert not unequal


# Not by window functions over the counted columns: what those must agree with.
_EARLIEST = """
SELECT id FROM comparisons AS c WHERE preference IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM comparisons AS o WHERE o.preference IS NOT NULL AND o.experiment_id = c.experiment_id
    AND o.voter = c.voter AND (o.voted_at < c.voted_at OR (o.voted_at = c.voted_at AND o.id < c.id))
)
"""
_FIRST_BY_HOUR = """
SELECT hour, preference, CAST(SUM(n) AS INTEGER) FROM ballot_counts WHERE of_first = 1 GROUP BY 1, 2 ORDER BY 1, 2
"""

# Of what is counted twice, once by the hour, what differs.
_UNEQUAL = """
SELECT of_first % 2, CASE of_first % 2 WHEN 1 THEN hour - hour % 86400000000 ELSE 0 END, preference, prompt_b_side
FROM ballot_counts GROUP BY 1, 2, 3, 4
HAVING SUM(CASE WHEN of_first < 2 THEN n ELSE 0 END) <> SUM(CASE WHEN of_first >= 2 THEN n ELSE 0 END)
"""


def _as_before_the_counts(store: Store, comparison: Comparison, preference: str, now: int) -> None:
    """Write a ballot as a version that knows nothing of the counts does, in a rollout."""
    with store.executor.database.writer.begin() as conn:
        conn.execute(
            text(
                "UPDATE comparisons SET voter = COALESCE(voter, 'anonymous'), preference = :preference, "
                "first_preference = COALESCE(first_preference, :preference), voted_at = COALESCE(voted_at, :now), "
                "updated_at = :now, reasons = '[]' WHERE id = :id AND COALESCE(preference, '') <> 'both_bad'"
            ),
            {"preference": preference, "now": now, "id": comparison.id},
        )


any_text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


@ONE_STORE
@given(input_text=any_text, response_text=any_text, comment=any_text)
@example("\x01\x85\u2028\ufeff\uffff", "🌱\U0010ffff", "--- 'a' \"b\" \\ % ; \x7f\t\r\n")
@example("e\u0301 \u202e", "\u0130\u0131\u017f\u212a", "\\u0000 \\x00")
async def test_any_text_comes_back_exact(store: Store, input_text: str, response_text: str, comment: str) -> None:
    await store.deletion.prune(10**17)
    await store.feedback.record(on_texts(input_text, response_text, comment=comment, reasons=(comment,), voter=comment))
    generation = a_generation(
        input_text=input_text, response_text=comment, messages=[{"role": comment}], user_id=comment
    )
    await store.generations.record(generation)
    (entry,) = (await store.feedback.page(Filter(), 10, None)).feedback
    assert (entry.input_text, entry.response_text, entry.comment) == (input_text, response_text, comment)
    assert entry.reasons == [comment]
    assert await store.generations.get(generation.id) == generation
    assert [batch async for batch in store.reviews.distinct_inputs(Filter())] == [[Input(input_text, "")]]


@ONE_STORE
@given(text=any_text, data=st.data())
async def test_every_part_of_a_text_is_found(store: Store, text: str, data: st.DataObject) -> None:
    await store.deletion.prune(10**17)
    await store.feedback.record(on_texts("other", text))
    start = data.draw(st.integers(0, len(text) - 1))
    part = text[start : data.draw(st.integers(start + 1, len(text)))]
    assert await store.feedback.count(Filter(search=part)) == 1
    assert len((await store.feedback.page(Filter(search=part), 10, None)).feedback) == 1
