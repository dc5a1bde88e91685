"""Which generation a vote by texts is on, where clients may mean one of several features."""

import pytest

from canopy.base.errors import InputError
from canopy.store.store import Store
from tests.contract.store.records import a_generation, a_vote, on_texts

EITHER = {"feature": "summarize", "alternative_features": frozenset({"summarize", "chat"})}


async def test_a_vote_finds_the_generation_whichever_of_the_features_that_it_may_mean_made_it(store: Store) -> None:
    answer = a_generation(input_text="Why?", response_text="Because.", feature="chat")
    await store.generations.record(answer)
    for vote in (on_texts("Why?", "Because.", voter="v", **EITHER), a_vote(answer, voter="v", **EITHER)):
        receipt = await store.feedback.record(vote)
        assert (receipt.generation_id, receipt.feature) == (answer.id, "chat")
    summary = a_generation(input_text="Why?", response_text="Because.", feature="summarize")
    await store.generations.record(summary)
    receipt = await store.feedback.record(on_texts("Why?", "Because.", **EITHER))
    assert receipt.generation_id == summary.id  # the one of the feature that the vote names


async def test_texts_of_several_generations_are_of_the_feature_that_made_them(store: Store) -> None:
    for _ in range(2):
        await store.generations.record(a_generation(input_text="Thanks!", response_text="Welcome.", feature="chat"))
    receipt = await store.feedback.record(on_texts("Thanks!", "Welcome.", **EITHER))
    assert (receipt.generation_id, receipt.feature) == (None, "chat")


async def test_a_vote_that_may_mean_any_feature_finds_the_generation_of_whichever_it_is(store: Store) -> None:
    translated = a_generation(input_text="Why?", response_text="Because.", feature="translate")
    await store.generations.record(translated)
    vote = on_texts("Why?", "Because.", feature="summarize", alternative_features=None)
    receipt = await store.feedback.record(vote)
    assert (receipt.generation_id, receipt.feature) == (translated.id, "translate")
    summary = a_generation(input_text="Why?", response_text="Because.", feature="summarize")
    await store.generations.record(summary)
    assert (await store.feedback.record(vote)).generation_id == summary.id


async def test_a_vote_can_be_refused_where_its_feature_never_made_the_texts(store: Store) -> None:
    wrong = InputError("`feature` must be one of `summarize`.")
    for _ in range(2):
        await store.generations.record(a_generation(input_text="Why?", response_text="Because.", feature="translate"))
    vote = on_texts("Why?", "Because.", feature="translate", error_if_never_made=wrong)
    assert (await store.feedback.record(vote)).feature == "translate"
    for other in (vote._replace(feature="draft"), vote._replace(response_text="So.")):
        with pytest.raises(InputError, match="must be one of"):
            await store.feedback.record(other)
