"""What reviewers expect of answers: written, changed, exported, and gone with what it derives from."""

from pathlib import Path
from typing import Any

import pytest

from canopy.base.errors import FeedbackNotFound, InputError
from canopy.store.feedback.query import Filter
from canopy.store.opening import open_store
from canopy.store.reviews.review import Input, Review, ReviewReceipt, ReviewState
from canopy.store.store import Store
from tests.contract.store.records import (
    DOWN,
    HOUR,
    NOON,
    Clock,
    a_ballot,
    a_comparison,
    a_generation,
    a_vote,
    everything,
    on_texts,
)

BAD = Filter(feature="summarize", sentiment=-1)


async def review(store: Store, text: str, expected: str, **fields: Any) -> ReviewReceipt:
    return await store.reviews.record(
        Review(**{"feature": "summarize", "feedback_id": None} | fields, input_text=text, expected_result=expected)
    )


async def exported(store: Store, where: Filter = BAD) -> list[Input]:
    return [it async for batch in store.reviews.distinct_inputs(where) for it in batch]


async def waiting(store: Store, state: ReviewState = "waiting", where: Filter = BAD) -> list[str]:
    return [case.input_text for case in (await store.reviews.page(where, state, 100, None)).cases]


async def test_a_review_is_exported_with_its_text(store: Store) -> None:
    for text in ("one", "two"):
        await store.feedback.record(on_texts(text, **DOWN))
    nasty = "Grüße 🌱\n\x85\u2028\ufeff\uffff' OR 1=1 --"
    assert (await review(store, "two", nasty))[:4] == ("created", "summarize", 3, len(nasty))
    assert await exported(store) == [Input("one", ""), Input("two", nasty)]
    assert await exported(store, Filter(feature="summarize", sentiment=-1, search="two")) == [Input("two", nasty)]


async def test_a_review_can_be_changed_repeated_and_taken_back(store: Store) -> None:
    vote = await store.feedback.record(on_texts("one", **DOWN))
    by_id = {"feedback_id": vote.feedback_id}
    outcomes = [(await review(store, "", text, **by_id)).outcome for text in ("", "a", "a", "b", "", "")]
    assert outcomes == ["repeated", "created", "repeated", "replaced", "deleted", "repeated"]
    assert await exported(store) == [Input("one", "")]


async def test_reviews_of_one_commit_see_each_other(store: Store) -> None:
    import asyncio

    await store.feedback.record(on_texts("one", **DOWN))
    receipts = await asyncio.gather(*(review(store, "one", text) for text in ("a", "a", "b")))
    assert [it.outcome for it in receipts] == ["created", "repeated", "replaced"]


async def test_a_text_without_a_vote_on_this_feature_cannot_be_reviewed(store: Store) -> None:
    chat = await store.feedback.record(on_texts("one", feature="chat", **DOWN))
    for fields in ({}, {"feedback_id": chat.feedback_id}, {"feedback_id": "fb_unknown"}):
        with pytest.raises(FeedbackNotFound):
            await review(store, "one", "Good.", **fields)


async def test_a_review_by_a_vote_is_of_the_votes_own_feature(store: Store) -> None:
    vote = await store.feedback.record(on_texts("one", feature="translate", **DOWN))
    receipt = await review(store, "", "Good.", feature=None, feedback_id=vote.feedback_id)
    assert (receipt.outcome, receipt.feature) == ("created", "translate")
    assert await exported(store, Filter(feature="translate", sentiment=-1)) == [Input("one", "Good.")]
    chat = await store.feedback.record(on_texts("one", feature="translate_chat", **DOWN))
    with pytest.raises(InputError, match="follow-up"):
        await review(store, "", "Good.", feature=None, feedback_id=chat.feedback_id)


async def test_pages_lead_through_what_waits_the_newest_first(store: Store) -> None:
    for i in range(7):
        await store.feedback.record(on_texts(f"text {i % 5}", voter=f"v{i}", **DOWN))
    await store.feedback.record(on_texts("liked"))
    await review(store, "text 1", "Good.")
    first = await store.reviews.page(BAD, "waiting", 2, None)
    assert [(case.input_text, case.position) for case in first.cases] == [("text 0", 1), ("text 4", 2)]
    counts = await store.reviews.counts(BAD)
    assert counts is not None
    assert (counts, counts.total, counts.reviewed) == ((4, 1, 0, 0), 5, 1)
    second = await store.reviews.page(BAD, "waiting", 2, first.next)
    assert [(case.input_text, case.position) for case in second.cases] == [("text 3", 3), ("text 2", 4)]
    assert second.next is None
    assert await waiting(store, "all") == [f"text {i}" for i in (1, 0, 4, 3, 2)]
    assert await waiting(store, "expected") == ["text 1"]
    assert await waiting(store, "all", Filter(feature="summarize", sentiment=1)) == []
    assert await waiting(store, "all", Filter(feature="summarize", sentiment=-1, since=NOON + HOUR)) == []


async def test_a_case_shows_the_newest_bad_answers_and_why_they_are_bad(store: Store) -> None:
    generation = a_generation(input_text="one", response_text="An answer.")
    await store.generations.record(generation)
    await store.feedback.record(a_vote(generation, voter="v", comment="Wrong.", reasons=("inaccurate",), **DOWN))
    await store.feedback.record(on_texts("one", "Praised.", voter="v"))
    for i in range(5):
        await store.feedback.record(on_texts("one", f"Answer {i}", voter="v", **DOWN))
    (case,) = (await store.reviews.page(BAD, "waiting", 10, None)).cases
    assert [it.response_text for it in case.verdicts] == [f"Answer {i}" for i in (4, 3, 2, 1, 0)]
    (same,) = (await store.reviews.page(Filter(feature="summarize", prompt_id="sha256:one"), "all", 10, None)).cases
    assert same == case


async def test_a_review_stays_while_there_is_a_vote_on_its_text(store: Store) -> None:
    first = await store.feedback.record(on_texts("one", voter="v", **DOWN))
    second = await store.feedback.record(on_texts("one", voter="w", **DOWN))
    await review(store, "one", "Good.")
    await store.feedback.retract(first.feedback_id)
    assert await exported(store) == [Input("one", "Good.")]
    await store.feedback.record(on_texts("one", voter="w"))  # a changed mind
    await store.feedback.record(on_texts("one", voter="w", **DOWN))
    assert await exported(store) == [Input("one", "Good.")]
    await store.feedback.retract(second.feedback_id)
    await store.feedback.record(on_texts("one", **DOWN))
    assert await exported(store) == [Input("one", "")]


async def test_retention_takes_the_review_with_the_last_vote(store: Store, clock: Clock) -> None:
    for text in ("old", "both"):
        await store.feedback.record(on_texts(text, **DOWN))
        await review(store, text, "Good.")
    clock.now = NOON + 2 * HOUR
    await store.feedback.record(on_texts("both", voter="v", **DOWN))
    await store.deletion.prune(NOON + HOUR)
    await store.feedback.record(on_texts("old", **DOWN))
    assert await exported(store) == [Input("both", "Good."), Input("old", "")]


async def test_a_ballot_that_is_changed_takes_its_review_along(store: Store) -> None:
    comparison = await a_comparison(store, session_id="s", input_text="compared")
    await store.comparisons.record_ballot(a_ballot(comparison, "both_bad"))
    await review(store, "compared", "Good.")
    await store.comparisons.record_ballot(a_ballot(comparison, "a"))
    await store.comparisons.record_ballot(a_ballot(comparison, "both_bad"))
    assert await exported(store) == [Input("compared", "")]


@pytest.mark.parametrize("mine", ["vote", "generation", "ballot"])
async def test_erasure_takes_the_review_of_a_text_even_where_others_voted_on_it(store: Store, mine: str) -> None:
    if mine == "vote":
        await store.feedback.record(on_texts("secret", user_id="me", voter="me", **DOWN))
    elif mine == "generation":
        await store.generations.record(a_generation(input_text="secret", user_id="me"))
    else:
        comparison = await a_comparison(store, user_id="me", input_text="secret")
        await store.comparisons.record_ballot(a_ballot(comparison, "both_bad"))
    await store.feedback.record(on_texts("secret", user_id="you", voter="you", **DOWN))
    await review(store, "secret", "Derived from the secret.")
    await store.deletion.erase(user_id="me")
    assert await exported(store) == [Input("secret", "")]


async def test_no_byte_of_an_erased_review_is_left_in_the_files(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/canopy.db")
    await store.start()
    await store.feedback.record(on_texts("text", user_id="me", voter="me", **DOWN))
    await review(store, "text", "Zanzibar-4711 " * 1_000)
    await review(store, "text", "short")
    await review(store, "text", "Zanzibar-4711")
    await store.deletion.erase(user_id="me")
    await store.close()
    assert sum(path.read_bytes().count(b"Zanzibar-4711") for path in tmp_path.iterdir()) == 0


async def test_what_a_voter_suggests_stays_with_the_vote_and_goes_with_its_replacement(store: Store) -> None:
    generation = a_generation()
    await store.generations.record(generation)
    await store.feedback.record(a_vote(generation, voter="v", suggestion="Say this ä.", **DOWN))
    (entry,) = await everything(store)
    assert entry.suggestion == "Say this ä."
    await store.feedback.record(a_vote(generation, voter="v"))
    (entry,) = await everything(store)
    assert entry.suggestion is None
