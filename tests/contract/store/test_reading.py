"""Pages, filters, search, counts and the export's distinct inputs."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from canopy.base.errors import InputError
from canopy.store.feedback.hourly_counts import DAY
from canopy.store.feedback.query import Feedback, FeedbackCount, Filter, HourCount, ProducerCount
from canopy.store.feedback.vote import Receipt
from canopy.store.store import Store
from tests.contract.store.records import DOWN, HOUR, NOON, Clock, a_generation, a_vote, on_texts


async def listed(store: Store, where: Filter, limit: int = 7) -> list[Feedback]:
    """All pages together, each of them full but the last."""
    entries: list[Feedback] = []
    cursor: str | None = None
    while True:
        page = await store.feedback.page(where, limit, cursor)
        entries += page.feedback
        if page.next is None:
            return entries
        assert len(page.feedback) == limit
        cursor = page.next


async def distinct(store: Store, where: Filter) -> list[str]:
    return [it.text async for batch in store.reviews.distinct_inputs(where) for it in batch]


@pytest.fixture
async def mixed(store: Store, clock: Clock) -> list[Feedback]:
    """Sixty votes of all kinds over five hours, newest first."""
    generations = [
        a_generation(feature=feature, prompt_id=prompt, prompt_text=prompt, model=model, input_text=f"{feature} {i}")
        for i, (feature, prompt, model) in enumerate(
            itertools.product(("summarize", "chat"), ("sha256:one", "sha256:two"), ("small", "large"))
        )
    ]
    for generation in generations:
        await store.generations.record(generation)
    for i in range(60):
        clock.now += HOUR // 12
        kind, value, sentiment = (("thumbs", "thumbs_down", -1), ("thumbs", "thumbs_up", 1), ("score", "3", 0))[i % 3]
        fields = {
            "kind": kind,
            "value": value,
            "sentiment": sentiment,
            "comment": None if i % 7 == 0 else f"Comment {i} Größe",
            "reasons": ((), ("too_long",), ("too_long_by_far", "rude"), ("rude", "too_long"))[i % 4],
        }
        if i % 4 == 0:
            await store.feedback.record(on_texts(f"Loose text {i // 8}", "Its SUMMARY", **fields))
        else:
            await store.feedback.record(a_vote(generations[i % 8], voter=f"v{i}", **fields))
    return (await store.feedback.page(Filter(), 1000, None)).feedback


def _middle(entries: list[Feedback]) -> tuple[int, int]:
    return entries[50].timestamp, entries[10].timestamp


FILTERS: list[tuple[Filter, Callable[[Feedback], bool]]] = [
    (Filter(), lambda _: True),
    (Filter(value="thumbs_down"), lambda e: e.value == "thumbs_down"),
    (Filter(value="3"), lambda e: e.value == "3"),
    (Filter(value="unheard of"), lambda _: False),
    (Filter(sentiment=1), lambda e: e.sentiment == 1),
    (Filter(sentiment=0), lambda e: e.sentiment == 0),
    (Filter(feature="chat"), lambda e: e.feature == "chat"),
    (Filter(prompt_id="sha256:two"), lambda e: e.prompt_id == "sha256:two"),
    (
        Filter(sentiment=-1, feature="summarize", prompt_id="sha256:one"),
        lambda e: (e.sentiment, e.feature, e.prompt_id) == (-1, "summarize", "sha256:one"),
    ),
    (Filter(since=NOON + 2 * HOUR), lambda e: e.timestamp >= NOON + 2 * HOUR),
    (Filter(until=NOON + 2 * HOUR), lambda e: e.timestamp < NOON + 2 * HOUR),
    (
        Filter(since=NOON + HOUR // 2, until=NOON + 4 * HOUR - 1),
        lambda e: NOON + HOUR // 2 <= e.timestamp < NOON + 4 * HOUR - 1,
    ),
    (
        Filter(since=NOON + HOUR // 4, until=NOON + HOUR // 2, sentiment=1),
        lambda e: NOON + HOUR // 4 <= e.timestamp < NOON + HOUR // 2 and e.sentiment == 1,
    ),
    (Filter(since=NOON + 2 * HOUR, until=NOON + 2 * HOUR), lambda _: False),
    (Filter(since=NOON + 3 * HOUR, until=NOON + 2 * HOUR), lambda _: False),
    (Filter(search="LOOSE TEXT"), lambda e: e.input_text.startswith("Loose")),
    (Filter(search="its summary"), lambda e: e.input_text.startswith("Loose")),
    (Filter(search="comment 1"), lambda e: "Comment 1" in (e.comment or "")),
    (Filter(search="GRÖSSE"), lambda e: e.comment is not None),  # ß folds to ss
    (Filter(search="größe", sentiment=-1), lambda e: e.sentiment == -1 and e.comment is not None),
    (Filter(search="comment", value="unheard of"), lambda _: False),
    (Filter(search="%"), lambda _: False),
    (Filter(search="_oose"), lambda _: False),
    (
        Filter(search="chat", feature="chat", since=NOON + HOUR),
        lambda e: e.feature == "chat" and e.timestamp >= NOON + HOUR,
    ),
    (Filter(model="large"), lambda e: e.model == "large"),
    (Filter(model="larg"), lambda _: False),
    (Filter(scores=(3,)), lambda e: (e.kind, e.value) == ("score", "3")),
    (Filter(scores=(2, 3, 4), feature="chat"), lambda e: (e.kind, e.feature) == ("score", "chat")),
    (Filter(scores=(1, 2)), lambda _: False),
    (Filter(reason="too_long"), lambda e: "too_long" in e.reasons),
    (Filter(reason="too-long"), lambda _: False),
    (Filter(reason="rude", model="small"), lambda e: "rude" in e.reasons and e.model == "small"),
    (Filter(commented=True), lambda e: e.comment is not None),
    (
        Filter(commented=False, since=NOON + HOUR, until=NOON + 4 * HOUR),
        lambda e: e.comment is None and NOON + HOUR <= e.timestamp < NOON + 4 * HOUR,
    ),
    (
        Filter(search="comment", reason="too_long", commented=True, sentiment=-1),
        lambda e: "too_long" in e.reasons and e.comment is not None and e.sentiment == -1,
    ),
]


async def test_pages_counts_and_inputs_agree_with_every_filter(store: Store, mixed: list[Feedback]) -> None:
    assert len(mixed) == 60
    for where, matches in FILTERS:
        wanted = [entry for entry in mixed if matches(entry)]
        assert await listed(store, where) == wanted, where
        assert await store.feedback.count(where) == len(wanted), where
        in_order = [entry.input_text for entry in sorted(wanted, key=lambda entry: entry.id)]
        assert await distinct(store, where) == list(dict.fromkeys(in_order)), where


async def test_counts_are_per_label(store: Store, mixed: list[Feedback]) -> None:
    counts = await store.feedback.counts(Filter())
    for count in counts:
        same = [
            entry
            for entry in mixed
            if (entry.feature, entry.name, entry.kind, entry.value)
            == (count.feature, count.name, count.kind, count.value)
            and (entry.sentiment, entry.prompt_id, entry.model) == (count.sentiment, count.prompt_id, count.model)
        ]
        assert count.n == len(same)
    assert sum(count.n for count in counts) == len(mixed)
    down = await store.feedback.counts(Filter(sentiment=-1, feature="chat"))
    assert down == [count for count in counts if (count.sentiment, count.feature) == (-1, "chat")]
    large = await store.feedback.counts(Filter(scores=(3, 4), model="large"))
    assert large
    assert large == [count for count in counts if (count.kind, count.model) == ("score", "large")]


def tally_by_producer(counts: list[ProducerCount]) -> Counter[tuple[Any, ...]]:
    found: Counter[tuple[Any, ...]] = Counter()
    for *of, n in counts:
        found[tuple(of)] += n
    return found


async def test_hours_are_those_of_the_same_votes(store: Store, mixed: list[Feedback]) -> None:
    for where in (Filter(), Filter(feature="chat"), Filter(origin="own", name="user_satisfaction")):
        entries = await listed(store, where)
        assert entries
        wanted = Counter((entry.timestamp // HOUR * HOUR, entry.sentiment) for entry in entries)
        assert await store.feedback.hours(where) == [HourCount(*key, n) for key, n in sorted(wanted.items())]
        days = Counter((entry.timestamp // DAY * DAY, entry.sentiment) for entry in entries)
        assert await store.feedback.hours(where, DAY) == [HourCount(*key, n) for key, n in sorted(days.items())]
        for step in (HOUR, DAY):
            producers = await store.feedback.hours_by_producer(where, step)
            assert [it.hour for it in producers] == sorted(it.hour for it in producers)
            assert tally_by_producer(producers) == Counter(
                (it.timestamp // step * step, it.feature, it.prompt_id or "", it.model or "", it.sentiment)
                for it in entries
            )
    assert sum(count.n for count in await store.feedback.hours(Filter())) == len(mixed)


async def test_days_that_are_over_follow_their_votes(store: Store, clock: Clock) -> None:
    """Those that come late, change or go, however often the sums were asked for."""

    async def by_day() -> list[tuple[int, int, int]]:
        return [(it.hour, it.sentiment, it.n) for it in await store.feedback.hours_by_producer(Filter(), DAY)]

    first, now = NOON // DAY * DAY, NOON + 3 * DAY
    today = now // DAY * DAY
    voted = []
    for day, text in enumerate(("one", "two")):
        clock.now = NOON + day * DAY
        voted.append(await store.feedback.record(on_texts(text, voter="ann", user_id="ann")))
    clock.now = now
    for _ in range(2):
        assert await by_day() == [(first, 1, 1), (first + DAY, 1, 1)]
    await store.feedback.record(on_texts("one", voter="ann", user_id="ann", **DOWN))
    assert await by_day() == [(first + DAY, 1, 1), (today, -1, 1)]
    clock.now = NOON
    await store.feedback.record(on_texts("late", voter="ben", user_id="ben"))
    clock.now = now
    assert await by_day() == [(first, 1, 1), (first + DAY, 1, 1), (today, -1, 1)]
    await store.feedback.retract(voted[1].feedback_id)
    assert await by_day() == [(first, 1, 1), (today, -1, 1)]
    assert [it.n for it in await store.feedback.hours_by_producer(Filter(until=first + DAY), DAY)] == [1]


async def test_counts_widen_to_whole_hours(store: Store, mixed: list[Feedback]) -> None:
    for where, hours in (
        (Filter(since=NOON + HOUR + 1, until=NOON + 2 * HOUR + 1), {NOON + HOUR, NOON + 2 * HOUR}),
        (Filter(since=NOON + HOUR, until=NOON + 2 * HOUR), {NOON + HOUR}),
    ):
        assert {count.hour for count in await store.feedback.hours(where)} == hours
        within = sum(entry.timestamp // HOUR * HOUR in hours for entry in mixed)
        assert sum(count.n for count in await store.feedback.counts(where)) == within


async def test_a_count_says_what_it_counts(store: Store) -> None:
    await store.feedback.record(on_texts())
    await store.feedback.record(on_texts())
    assert await store.feedback.counts(Filter()) == [
        FeedbackCount("summarize", "user_satisfaction", "thumbs", "thumbs_up", 1, None, None, 2)
    ]


async def test_a_page_goes_on_where_the_last_one_ended_though_votes_come_in(store: Store) -> None:
    for i in range(10):
        await store.feedback.record(on_texts(f"{i}"))
    first = await store.feedback.page(Filter(), 4, None)
    await store.feedback.record(on_texts("new"))
    rest = await store.feedback.page(Filter(), 100, first.next)
    assert [entry.input_text for entry in first.feedback + rest.feedback] == [f"{i}" for i in range(9, -1, -1)]


async def test_a_vote_that_is_changed_moves_to_the_top(store: Store) -> None:
    for i in range(3):
        await store.feedback.record(on_texts(f"{i}", voter="v"))
    await store.feedback.record(on_texts("0", voter="v", **DOWN))
    assert [entry.input_text for entry in await listed(store, Filter())] == ["0", "2", "1"]


async def test_the_last_page_says_so_even_when_it_is_full(store: Store) -> None:
    for i in range(4):
        await store.feedback.record(on_texts(f"{i}"))
    first = await store.feedback.page(Filter(), 2, None)
    second = await store.feedback.page(Filter(), 2, first.next)
    assert (len(second.feedback), second.next) == (2, None)
    assert (await store.feedback.page(Filter(sentiment=0), 2, None)).feedback == []


@pytest.mark.parametrize("cursor", ["", "x", "AAAA", "ü", "MTox", "MTpmYl8wMDA=", "MTowMDA6MDA", "a" * 5000])
async def test_a_cursor_that_no_page_gave_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(InputError, match="cursor"):
        await store.feedback.page(Filter(), 10, cursor)


async def test_a_search_finds_what_is_far_down(store: Store, clock: Clock) -> None:
    await asyncio.gather(*(store.feedback.record(on_texts(f"Needle {i}" if i < 3 else "Hay")) for i in range(1_300)))
    assert clock.now > NOON
    assert [entry.input_text for entry in await listed(store, Filter(search="needle"), 2)] == [
        "Needle 2",
        "Needle 1",
        "Needle 0",
    ]
    assert await store.feedback.count(Filter(search="needle")) == 3
    assert await store.feedback.count(Filter(search="ñ")) == 0


async def test_inputs_come_once_in_the_order_of_their_first_vote(store: Store) -> None:
    long = "long " * 60_000
    texts = [f"text {i}" for i in range(450)] + [long] * 2 + [long + str(i) for i in range(4)]
    await asyncio.gather(*(store.feedback.record(on_texts(text, voter=f"v{i}")) for i, text in enumerate(texts * 2)))
    batches = [[it.text for it in batch] async for batch in store.reviews.distinct_inputs(Filter())]
    assert [text for batch in batches for text in batch] == list(dict.fromkeys(texts))
    assert max(len(batch) for batch in batches) <= 200
    assert max(sum(map(len, batch)) for batch in batches) <= 500_000


async def test_a_voter_who_changes_their_mind_keeps_the_input_in_its_place(store: Store) -> None:
    for text in ("first", "second"):
        await store.feedback.record(on_texts(text, voter="v"))
    await store.feedback.record(on_texts("first", voter="v", **DOWN))
    await store.feedback.record(on_texts("second", voter="v", **DOWN))
    await store.feedback.record(on_texts("second", voter="w"))
    assert await distinct(store, Filter(sentiment=-1)) == ["first", "second"]
    assert await distinct(store, Filter(sentiment=1)) == ["second"]


async def test_a_walk_that_is_given_up_leaves_the_store_usable(store: Store) -> None:
    await asyncio.gather(*(store.feedback.record(on_texts(f"text {i}")) for i in range(300)))
    walk = store.reviews.distinct_inputs(Filter())
    assert len(await anext(walk)) == 200
    await walk.aclose()
    assert isinstance(await store.feedback.record(on_texts()), Receipt)


async def test_a_search_counts_as_far_as_a_thousand_and_says_that_there_is_more(store: Store) -> None:
    with store.executor.database.writer.begin() as conn:
        store.feedback.votes.record(conn, [on_texts(f"{i}", voter=f"v{i}", comment="Long.") for i in range(1_001)])
    assert await store.feedback.count_at_least(Filter(commented=True)) == (1_000, False)
    assert await store.feedback.count_at_least(Filter()) == (1_001, True)
    assert await store.feedback.count_at_least(Filter(commented=False)) == (0, True)
