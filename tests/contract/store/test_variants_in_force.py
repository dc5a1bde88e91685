"""What came into force when, and how many people were satisfied with it, on both engines."""

import asyncio
from typing import Any

from canopy.config.values import SATISFACTION
from canopy.stats.before_after import Outcomes
from canopy.store.experiments import variants_in_force
from canopy.store.experiments.variants_in_force import PromptAndModel, ToldVariant, VariantInForce
from canopy.store.feedback.query import Filter
from canopy.store.opening import open_store
from canopy.store.store import Store
from tests.contract.store.records import DOWN, NOON, Clock, a_generation, a_vote

FORMER = PromptAndModel("sha256:one", "llama32")
FIRST = VariantInForce("summarize", NOON, FORMER, "first", None, Outcomes(0, 0), "revision-1", None)
NEXT = VariantInForce(
    "summarize",
    NOON + 9,
    PromptAndModel("sha256:two", "llama32"),
    "promotion",
    FORMER,
    Outcomes(8, 2),
    "revision-2",
    "a" * 40,
)


async def test_a_change_is_written_once_whichever_replica_sees_it_first(
    store: Store, store_url: str, clock: Clock
) -> None:
    assert await store.variants.begin(FIRST, None)
    replica = open_store(store_url, clock=clock)
    await replica.start()
    later = NEXT._replace(since=NEXT.since + 5)
    begun = await asyncio.gather(store.variants.begin(NEXT, FIRST), replica.variants.begin(later, FIRST))
    await replica.close()
    assert sorted(begun) == [False, True]
    newest, oldest = await store.variants.known()
    assert (newest._replace(since=0), oldest) == (NEXT._replace(since=0), FIRST)
    assert await store.variants.begin(FIRST._replace(feature="translate"), None)


async def test_what_proved_worse_is_news_once_and_is_due_until_it_was_told(store: Store, clock: Clock) -> None:
    await store.variants.begin(NEXT, None)
    worse = Outcomes(1, 9)
    assert [await store.variants.report_worse(NEXT, worse, tell=True) for _ in range(2)] == [True, False]
    (due,) = await store.variants.claim(60_000_000)
    assert (due.variant, due.failures) == (NEXT._replace(after=worse), 0)
    assert await store.variants.claim(60_000_000) == []
    await store.variants.settle(ToldVariant(due.variant, clock.now, 1))
    (again,) = await store.variants.claim(60_000_000)
    assert again.failures == 1
    await store.variants.settle(ToldVariant(due.variant, None, 1))
    clock.now += 120_000_000
    assert await store.variants.claim(60_000_000) == []


async def test_the_newest_ones_stay(store: Store, monkeypatch: Any) -> None:
    monkeypatch.setattr(variants_in_force, "MOST_VARIANTS", 3)
    former = None
    for number in range(5):
        variant = FIRST._replace(since=NOON + number)
        await store.variants.begin(variant, former)
        former = variant
    assert [it.since - NOON for it in await store.variants.known()] == [4, 3, 2]


OWN = Filter(prompt_id="sha256:one", model="llama32", name=SATISFACTION, origin="own")
BOTH = ("summarize", "summarize_chat")


async def _vote(store: Store, user: str | None = None, feature: str = "summarize", **fields: Any) -> None:
    generation = a_generation(feature=feature, prompt_id=fields.pop("prompt_id", "sha256:one"))
    await store.generations.record(generation)
    voter = {"voter": f"user:{user}", "user_id": user} if user else {}
    await store.feedback.record(a_vote(generation, **{**voter, **fields}))


async def test_people_are_counted_once_by_their_first_vote_for_or_against(store: Store) -> None:
    await _vote(store, "ana", value="so_so", kind="label", sentiment=0)
    await _vote(store, "ana", **DOWN)
    await _vote(store, "ana")
    await _vote(store, "ben", "summarize_chat")
    await _vote(store, "ben", **DOWN)
    await _vote(store, None, **DOWN)  # anonymous
    await _vote(store, "cleo", prompt_id="sha256:two")
    await _vote(store, "dan", name="accuracy", **DOWN)
    assert await store.feedback.voters([OWN], BOTH, "oldest") == Outcomes(1, 1)
    assert await store.feedback.voters([OWN], BOTH[:1], "oldest") == Outcomes(0, 2)
    until = Filter(**{name: getattr(OWN, name) for name in ("prompt_id", "model", "name", "origin")}, until=NOON)
    assert await store.feedback.voters([until], BOTH, "oldest") == Outcomes(0, 0)


async def test_where_votes_are_too_many_all_ratings_are_counted_for_the_same_time(store: Store) -> None:
    for user in range(6):
        await _vote(store, f"good-{user}")
        if user % 2:
            await _vote(store, f"bad-{user}", **DOWN)
    assert await store.feedback.voters([OWN], BOTH, "oldest", 4) == Outcomes(4, 1)
    assert await store.feedback.voters([OWN], BOTH, "newest", 4) == Outcomes(4, 2)
    assert await store.feedback.voters([OWN], BOTH, "newest", 7) == Outcomes(6, 3)
