"""A ballot that finds both responses bad is feedback on each, for as long as it says so."""

from dataclasses import replace

from canopy.store.experiments.experiment import Preference
from canopy.store.feedback.query import Filter
from canopy.store.store import Store
from canopy.store.vocabulary import AB_PREFERENCE
from tests.contract.store.records import a_ballot, a_comparison, a_vote, everything


async def exported(store: Store) -> list[str]:
    return [it.text async for batch in store.reviews.distinct_inputs(Filter(sentiment=-1)) for it in batch]


async def test_both_bad_is_negative_feedback_on_each_response(store: Store) -> None:
    comparison = await a_comparison(store, user_id="ada", session_id="s", input_text="A hard text.")
    await store.comparisons.record_ballot(
        a_ballot(comparison, "both_bad", comment="Invented.", reasons=("inaccurate",))
    )
    entries = await everything(store)
    assert {entry.generation_id for entry in entries} == {comparison.generation_a, comparison.generation_b}
    assert {entry.prompt_id for entry in entries} == {"sha256:one", "sha256:two"}
    for entry in entries:
        assert (entry.name, entry.kind, entry.value, entry.sentiment) == (AB_PREFERENCE, "label", "both_bad", -1)
        assert (entry.comment, entry.reasons) == ("Invented.", ["inaccurate"])
        assert (entry.user_id, entry.session_id, entry.feature) == ("ada", "s", "summarize")
    assert await exported(store) == ["A hard text."]
    assert await store.feedback.count(Filter(search="invented")) == 2
    assert sum(count.n for count in await store.feedback.counts(Filter(sentiment=-1))) == 2


async def test_both_bad_for_another_reason_changes_the_feedback(store: Store) -> None:
    comparison = await a_comparison(store)
    await store.comparisons.record_ballot(a_ballot(comparison, "both_bad", comment="Invented."))
    before = {entry.id for entry in await everything(store)}
    receipt = await store.comparisons.record_ballot(
        a_ballot(comparison, "both_bad", comment="Too long.", reasons=("length",))
    )
    assert receipt.outcome == "replaced"
    entries = await everything(store)
    assert {entry.id for entry in entries} == before
    assert {(entry.comment, *entry.reasons) for entry in entries} == {("Too long.", "length")}


async def test_changing_away_from_both_bad_takes_the_feedback_back(store: Store) -> None:
    comparison = await a_comparison(store, input_text="A hard text.")
    others: list[Preference] = ["a", "b", "tie"]
    for preference in others:
        await store.comparisons.record_ballot(a_ballot(comparison, "both_bad"))
        assert await exported(store) == ["A hard text."]
        await store.comparisons.record_ballot(a_ballot(comparison, preference))
        assert await exported(store) == []
        assert await everything(store) == []
        assert await store.feedback.counts(Filter()) == []


async def test_feedback_of_both_bad_that_was_taken_back_leaves_the_ballot(store: Store) -> None:
    comparison = await a_comparison(store)
    ballot = a_ballot(comparison, "both_bad")
    await store.comparisons.record_ballot(ballot)
    for entry in await everything(store):
        await store.feedback.retract(entry.id)
    assert (await store.experiments.ballot_counts(None)).both_bad == 1
    assert (await store.comparisons.record_ballot(ballot)).outcome == "repeated"
    assert await exported(store) == []
    assert (await store.comparisons.record_ballot(replace(ballot, preference="a"))).outcome == "replaced"


async def test_an_opinion_on_one_response_and_a_ballot_on_both_stand_side_by_side(store: Store) -> None:
    comparison = await a_comparison(store, user_id="ada")
    one = await store.generations.get(comparison.generation_a)
    assert one is not None
    await store.comparisons.record_ballot(a_ballot(comparison, "both_bad"))
    thumb = await store.feedback.record(a_vote(one, voter="user:ada", user_id="ada"))
    assert await store.feedback.count(Filter()) == 3
    await store.comparisons.record_ballot(a_ballot(comparison, "tie"))
    assert [entry.id for entry in await everything(store)] == [thumb.feedback_id]
