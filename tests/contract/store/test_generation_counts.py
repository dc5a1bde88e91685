"""What is counted of generations by the hour, as they are recorded and by the migration, and what stays of it."""

import time

from canopy.store.feedback.hourly_counts import DAY
from canopy.store.feedback.query import Filter
from canopy.store.generations.usage import UsageCount, UsageSum
from canopy.store.opening import open_store
from canopy.store.store import Store
from tests.contract.store.earlier import downgrade
from tests.contract.store.records import HOUR, NOON, a_comparison, a_generation


async def _usage(store: Store, where: Filter | None = None, step: int = HOUR) -> list[UsageCount]:
    return await store.generations.usage(where or Filter(), step)


async def _total(store: Store, where: Filter | None = None) -> UsageSum:
    return UsageSum.sum(it.usage for it in await _usage(store, where))


async def test_generations_count_by_hour_producer_and_end(store: Store) -> None:
    minute = HOUR // 60
    for each in (
        a_generation(created_at=NOON + minute),
        a_generation(created_at=NOON + 2 * minute, input_tokens=None),
        a_generation(created_at=NOON + 3 * minute, status="failed", time_to_first_token=None, output_tokens=None),
        a_generation(created_at=NOON + HOUR, status="cancelled", time_to_first_token=90.0),
        a_generation(created_at=NOON + HOUR, model="granite"),
    ):
        await store.generations.record(each)
    first, second, third = await _usage(store)
    assert (first.since, first.prompt_id, first.config_revision) == (NOON, "sha256:one", "revision-1")
    assert first.usage.first_tokens == (0, 0, 0, 0, 0, 2, *[0] * 14)
    numbers = first.usage.completed, first.usage.failed, first.usage.stopped, first.usage.total
    assert numbers == (2, 1, 0, 3)
    assert (first.usage.input_tokens, first.usage.output_tokens) == (24, 6)
    assert (second.since, second.model) == (NOON + HOUR, "granite")
    assert (third.usage.stopped, third.usage.votable, third.usage.first_tokens[-1]) == (1, 1, 1)


async def test_stretches_say_which_hours_they_have(store: Store) -> None:
    day = NOON - NOON % DAY
    for hour in (1, 5, 30):
        await store.generations.record(a_generation(created_at=day + hour * HOUR + 7))
    first, second = await _usage(store, step=DAY)
    assert (first.since, first.first_hour, first.last_hour) == (day, day + HOUR, day + 5 * HOUR)
    assert (second.since, second.usage.completed) == (day + DAY, 1)


async def test_a_stretch_may_be_all_time(store: Store) -> None:
    for hour in (0, 9_000):
        await store.generations.record(a_generation(created_at=NOON + hour * HOUR))
    (both,) = await _usage(store, step=1 << 62)
    assert (both.since, both.first_hour, both.last_hour) == (0, NOON, NOON + 9_000 * HOUR)


async def test_days_that_are_over_count_what_is_recorded_late(store: Store) -> None:
    """And each selection is its own, however often it is asked for."""
    for day in range(3):
        await store.generations.record(a_generation(created_at=NOON + day * DAY))
    every, since = Filter(), Filter(since=NOON + DAY)
    for n in (1, 2, 3):
        assert [it.usage.total for it in await _usage(store, every, DAY)] == [1, n, 1]
        assert [it.usage.total for it in await _usage(store, since, DAY)] == [n, 1]
        assert [it.usage.total for it in await _usage(store, Filter(until=NOON + DAY), DAY)] == [1]
        await store.generations.record(a_generation(created_at=NOON + DAY, status="cancelled"))


async def test_today_is_counted_anew_beside_the_days_before(store: Store) -> None:
    now = time.time_ns() // 1_000
    await store.generations.record(a_generation(created_at=now - DAY))
    for n in (1, 2):
        await store.generations.record(a_generation(created_at=now))
        assert [it.usage.total for it in await _usage(store, step=DAY)] == [1, n]


async def test_the_filter_narrows_to_whole_hours(store: Store) -> None:
    for hour in range(4):
        await store.generations.record(a_generation(created_at=NOON + hour * HOUR))
    await store.generations.record(a_generation(created_at=NOON, feature="translate", prompt_id="sha256:two"))
    assert (await _total(store, Filter(feature="summarize"))).total == 4
    assert (await _total(store, Filter(prompt_id="sha256:two"))).total == 1
    assert (await _total(store, Filter(since=NOON + HOUR + 1, until=NOON + 3 * HOUR))).total == 2


async def test_the_same_generation_again_counts_once(store: Store) -> None:
    generation = a_generation()
    await store.generations.record(generation)
    await store.generations.record(generation)
    with store.executor.database.writer.begin() as conn:
        store.generations.record_all(conn, [generation, again := a_generation(), again])
    assert (await _total(store)).total == 2


async def test_evaluations_do_not_count(store: Store) -> None:
    await store.generations.record(a_generation(evaluation=True))
    assert await _usage(store) == []


async def test_sides_of_comparisons_are_told_apart(store: Store) -> None:
    await a_comparison(store)
    await store.generations.record(a_generation(comparison_id="cmp_failed", status="failed"))
    usage = await _total(store)
    assert (usage.completed, usage.compared, usage.failed, usage.votable) == (2, 2, 1, 0)


async def test_the_counts_stay_when_generations_are_deleted(store: Store) -> None:
    await store.generations.record(a_generation(user_id="ben"))
    before = await _usage(store)
    await store.deletion.erase(user_id="ben")
    await store.deletion.prune(NOON + HOUR)
    assert await _usage(store) == before


async def test_beside_votes_they_begin_where_the_records_do(store: Store) -> None:
    """The retention takes the votes with their counts."""
    for hour in range(4):
        await store.generations.record(a_generation(created_at=NOON + hour * HOUR))
    await store.deletion.prune(NOON + 2 * HOUR)
    assert [it.since for it in await store.generations.recorded_usage(Filter(), HOUR)] == [
        NOON + 2 * HOUR,
        NOON + 3 * HOUR,
    ]
    asked = Filter(since=NOON + 3 * HOUR)
    assert [it.since for it in await store.generations.recorded_usage(asked, HOUR)] == [NOON + 3 * HOUR]
    await store.deletion.prune(NOON + 9 * HOUR)
    assert await store.generations.recorded_usage(Filter(), HOUR) == []


async def test_the_migration_counts_as_recording_does(new_url: str) -> None:
    """What a version before recorded has no counts yet."""
    store = open_store(new_url)
    await store.start()
    for seconds in (None, 0.0, 0.05, 0.0500001, 0.3, 7.0, 60.0, 61.0):
        await store.generations.record(a_generation(time_to_first_token=seconds))
    await store.generations.record(a_generation(status="failed", created_at=NOON + HOUR, output_tokens=None))
    await store.generations.record(a_generation(status="cancelled", model="granite"))
    await store.generations.record(a_generation(evaluation=True))
    await a_comparison(store)
    recorded = await _usage(store)
    with store.executor.database.writer.begin() as conn:  # as before there was the column
        conn.exec_driver_sql("UPDATE generations SET evaluation = NULL WHERE NOT evaluation")
    await store.close()
    downgrade(new_url, "0017")
    store = open_store(new_url)
    await store.start()
    assert await _usage(store) == recorded
    await store.close()
