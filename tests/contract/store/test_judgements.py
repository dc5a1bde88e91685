"""Judges' turns and labels: at most one for each generation, judge and version, and never among people's votes."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from canopy.base.errors import GenerationNotFound
from canopy.base.ratings import JUDGEMENT
from canopy.store.feedback.query import Feedback, Filter
from canopy.store.feedback.vote import Vote
from canopy.store.generations.generation import Generation
from canopy.store.judges.judgement import JudgementLease, Unjudged
from canopy.store.opening import open_store
from canopy.store.store import Store
from tests.contract.store.records import DOWN, NOON, Clock, a_ballot, a_comparison, a_generation, a_vote

LEASE = 60_000_000
ALL = Filter(source="any")
LABELS = Filter(source="judge")


def a_turn(on: Generation, **fields: Any) -> JudgementLease:
    return JudgementLease(on.id, "accuracy", "v1", "me", LEASE)._replace(**fields)


def a_label(on: Generation, value: str = "accurate", sentiment: int = 1, **fields: Any) -> Vote:
    labelled: dict[str, Any] = {"name": "accuracy", "kind": JUDGEMENT, "value": value, "sentiment": sentiment}
    labelled |= {"voter": "judge:accuracy", "source": "LLM_JUDGE", "source_id": "judge-model", "comment": "Because."}
    return a_vote(on, **labelled | fields)


async def recorded(store: Store, **fields: Any) -> Generation:
    generation = a_generation(**fields)
    await store.generations.record(generation)
    return generation


async def labelled(store: Store, on: Generation, version: str = "v1", **fields: Any) -> None:
    turn = a_turn(on, version=version)
    assert await store.judgements.take(turn)
    assert await store.judgements.end(turn, a_label(on, **fields)) is not None


async def found(store: Store, where: Filter) -> list[Feedback]:
    page = (await store.feedback.page(where, 100, None)).feedback
    assert await store.feedback.count(where) == len(page)
    return page


async def unjudged(store: Store, version: str = "v1", since: int = 0) -> list[str]:
    return [it.generation_id for it in await store.judgements.unjudged("accuracy", version, since, None, 100)]


async def test_only_one_of_those_who_want_a_turn_gets_it(store: Store, store_url: str) -> None:
    generation = await recorded(store)
    other = open_store(store_url, clock=Clock())
    await other.start()
    wanted = [it.judgements.take(a_turn(generation, owner=f"{n}")) for n in range(20) for it in (store, other)]
    assert sorted(await asyncio.gather(*wanted)) == [False] * 39 + [True]
    await other.close()


async def test_a_turn_that_ended_never_comes_again_but_another_versions_does(store: Store, clock: Clock) -> None:
    generation = await recorded(store)
    await labelled(store, generation)
    clock.now += 2 * LEASE
    assert not await store.judgements.take(a_turn(generation, owner="another"))
    assert await unjudged(store) == []
    assert await unjudged(store, "v2") == [generation.id]
    assert await store.judgements.take(a_turn(generation, version="v2"))
    assert await store.judgements.take(a_turn(generation, judge="quality"))


async def test_a_turn_that_ended_without_a_label_does_not_come_again_either(store: Store) -> None:
    generation = await recorded(store)
    await store.judgements.take(a_turn(generation))
    assert await store.judgements.end(a_turn(generation), None) is None
    assert await unjudged(store) == []
    assert await found(store, ALL) == []


async def test_a_turn_that_ended_without_a_label_is_taken_again_on_request_and_no_other(store: Store) -> None:
    unusable, other, old = [await recorded(store, created_at=NOON + n) for n in (2, 1, 0)]
    for generation in (unusable, old):
        await store.judgements.take(a_turn(generation))
        await store.judgements.end(a_turn(generation), None)
    await labelled(store, other)
    await store.judgements.take(a_turn(unusable, version="v2"))
    await store.judgements.end(a_turn(unusable, version="v2"), None)
    assert await store.judgements.reopen_unlabelled("accuracy", "v1", NOON + 1) == 1
    assert await unjudged(store) == [unusable.id]
    assert await unjudged(store, "v2") == [old.id, other.id]
    assert await store.judgements.take(a_turn(unusable, owner="another"))
    assert await store.judgements.reopen_unlabelled("accuracy", "v1", 0) == 1  # the old one; no turn that somebody has


async def test_a_turn_that_is_given_back_is_anybodys(store: Store) -> None:
    generation = await recorded(store)
    await store.judgements.take(a_turn(generation))
    assert await unjudged(store) == []
    await store.judgements.give_back(a_turn(generation, owner="another"))
    assert await unjudged(store) == []
    await store.judgements.give_back(a_turn(generation))
    assert await unjudged(store) == [generation.id]
    assert await store.judgements.take(a_turn(generation, owner="another"))


async def test_after_its_lease_a_turn_is_anybodys_and_what_its_first_owner_says_is_nothing(
    store: Store, clock: Clock
) -> None:
    generation = await recorded(store)
    mine, theirs = a_turn(generation), a_turn(generation, owner="another")
    assert await store.judgements.take(mine)
    assert not await store.judgements.take(theirs)
    clock.now += LEASE
    assert await unjudged(store) == [generation.id]
    assert await store.judgements.take(theirs)
    assert await store.judgements.end(mine, a_label(generation)) is None
    assert await found(store, ALL) == []
    assert await store.judgements.end(theirs, a_label(generation, "minor_issues", 0)) is not None
    assert [entry.value for entry in await found(store, LABELS)] == ["minor_issues"]


async def test_a_late_answer_counts_as_long_as_nobody_else_took_the_turn(store: Store, clock: Clock) -> None:
    generation = await recorded(store)
    await store.judgements.take(a_turn(generation))
    clock.now += 2 * LEASE
    assert await store.judgements.end(a_turn(generation), a_label(generation)) is not None


async def test_what_is_unjudged_comes_oldest_first_and_in_pages(store: Store) -> None:
    generations = [await recorded(store, created_at=NOON + n) for n in (3, 1, 2, 2, 0)]
    in_order = sorted(generations, key=lambda it: (it.created_at, it.id))
    await recorded(store, status="failed", error_code="model_error", created_at=NOON)
    pages: list[Unjudged] = []
    while page := await store.judgements.unjudged("accuracy", "v1", NOON + 1, pages[-1] if pages else None, 2):
        pages += page
    assert [it.generation_id for it in pages] == [it.id for it in in_order[1:]]


async def test_the_sides_of_a_comparison_are_left_alone_until_its_ballot(store: Store) -> None:
    comparison = await a_comparison(store, session_id="s")
    sides = {comparison.generation_a, comparison.generation_b}
    assert await unjudged(store) == []
    await store.comparisons.record_ballot(a_ballot(comparison))
    assert set(await unjudged(store)) == sides


async def test_a_label_has_its_rationale_its_model_and_what_it_judges(store: Store) -> None:
    generation = await recorded(store, session_id="s", user_id="ada")
    await labelled(store, generation)
    (entry,) = await found(store, LABELS)
    assert (entry.name, entry.value, entry.sentiment, entry.comment) == ("accuracy", "accurate", 1, "Because.")
    assert (entry.source, entry.source_id, entry.user_id) == ("LLM_JUDGE", "judge-model", None)
    assert (entry.generation_id, entry.response_text) == (generation.id, generation.response_text)


async def test_a_new_versions_label_takes_the_place_of_the_one_before(store: Store) -> None:
    generation = await recorded(store)
    await labelled(store, generation)
    (before,) = await found(store, LABELS)
    await labelled(store, generation, "v2", value="hallucination_detected", sentiment=-1)
    (after,) = await found(store, LABELS)
    assert (after.id, after.value) == (before.id, "hallucination_detected")


async def test_labels_are_no_votes(store: Store) -> None:
    generation = await recorded(store)
    await store.feedback.record(a_vote(generation, voter="session:s", **DOWN))
    people = await store.feedback.counts(Filter())
    await labelled(store, generation, value="hallucination_detected", sentiment=-1)
    assert await store.feedback.counts(Filter()) == people
    assert [entry.value for entry in await found(store, Filter())] == ["thumbs_down"]
    assert [entry.value for entry in await found(store, Filter(sentiment=-1))] == ["thumbs_down"]
    assert [entry.value for entry in await found(store, Filter(search="summary"))] == ["thumbs_down"]
    assert [entry.value for entry in await found(store, LABELS)] == ["hallucination_detected"]
    assert [entry.value for entry in await found(store, Filter(source="judge", search="because"))] == [
        "hallucination_detected"
    ]
    assert len(await found(store, ALL)) == 2


async def test_labels_can_be_asked_for_by_judge(store: Store) -> None:
    generation = await recorded(store)
    await labelled(store, generation)
    turn = a_turn(generation, judge="quality")
    await store.judgements.take(turn)
    await store.judgements.end(turn, a_label(generation, "good", name="quality", voter="judge:quality"))
    assert [entry.value for entry in await found(store, Filter(source="judge", name="quality"))] == ["good"]
    assert await found(store, Filter(name="quality")) == []


async def test_a_response_shows_the_label_of_each_judge(store: Store) -> None:
    one, two = await recorded(store), await recorded(store)
    await labelled(store, one)
    turn = a_turn(one, judge="quality")
    await store.judgements.take(turn)
    await store.judgements.end(turn, a_label(one, "poor", -1, name="quality", voter="judge:quality", comment=None))
    await store.feedback.record(a_vote(one, voter="session:s"))
    shown = await store.judgements.labels([one.id, two.id, "gen_unknown"])
    assert {key: [label[1:] for label in labels] for key, labels in shown.items()} == {
        one.id: [
            ("accuracy", "accurate", 1, "judge-model", "Because."),
            ("quality", "poor", -1, "judge-model", None),
        ]
    }


async def test_a_response_shows_the_newest_of_what_people_said(store: Store) -> None:
    one, two = await recorded(store), await recorded(store)
    await labelled(store, one)
    for voter in range(7):
        await store.feedback.record(a_vote(one, voter=f"session:{voter}", comment=f"{voter}", **DOWN))
    for asked in ([one.id, two.id, "gen_unknown"], [one.id]):  # few votes for so many, and more than are shown
        shown = await store.judgements.person_votes(asked)
        assert {key: [vote[1:] for vote in votes] for key, votes in shown.items()} == {
            one.id: [("thumbs", "thumbs_down", -1, f"{voter}") for voter in (6, 5, 4, 3, 2)]
        }


@pytest.mark.parametrize("search", [None, "A LONG", "lóng"])
async def test_votes_can_be_asked_for_by_what_a_judge_said_about_the_response(store: Store, search: str | None) -> None:
    for label, votes in (("accurate", "++"), ("wrong", "+-"), ("wrong", "-"), (None, "-")):
        generation = await recorded(store, input_text="A long text, ein lÓnger.")
        if label is not None:
            await labelled(store, generation, value=label, sentiment=1 if label == "accurate" else -1)
        for voter, vote in enumerate(votes):
            await store.feedback.record(a_vote(generation, voter=f"session:{voter}", **(DOWN if vote == "-" else {})))
    values = [entry.value for entry in await found(store, Filter(label="wrong", search=search))]
    assert values == ["thumbs_down", "thumbs_down", "thumbs_up"]
    assert len(await found(store, Filter(label="wrong", sentiment=1, search=search))) == 1
    assert len(await found(store, Filter(label="wrong", source="any", search=search))) == 5
    assert await found(store, Filter(label="never", search=search)) == []
    first = await store.feedback.page(Filter(label="wrong", search=search), 2, None)
    rest = await store.feedback.page(Filter(label="wrong", search=search), 2, first.next)
    assert [entry.value for entry in first.feedback + rest.feedback] == values


async def test_a_judge_agrees_with_people_as_far_as_they_voted_on_what_this_version_labelled(store: Store) -> None:
    for label, sentiment, votes in (("accurate", 1, (1, 1, -1)), ("minor_issues", 0, ()), ("wrong", -1, (-1,))):
        generation = await recorded(store)
        await labelled(store, generation, value=label, sentiment=sentiment)
        for voter, vote in enumerate(votes):
            down = DOWN if vote < 0 else {}
            await store.feedback.record(a_vote(generation, voter=f"session:{voter}", **down))
            await store.feedback.record(a_vote(generation, voter=f"session:{voter}", name="tone", **down))
    pairs = [("accurate", 1, -1, 1), ("accurate", 1, 1, 2), ("wrong", -1, -1, 1)]
    assert await store.judgements.agreement("accuracy", "v1", 0) == pairs
    assert await store.judgements.agreement("accuracy", "v1", NOON + 10 * LEASE) == []
    assert await store.judgements.agreement("accuracy", "v2", 0) == []
    assert await store.judgements.agreement("quality", "v1", 0) == []
    await labelled(store, generation, "v2", value="accurate")
    assert await store.judgements.agreement("accuracy", "v2", 0) == [("accurate", 1, -1, 1)]


@pytest.mark.parametrize(("source", "texts"), [("human", ["one"]), ("judge", ["two"]), ("any", ["one", "two"])])
async def test_the_dataset_takes_the_inputs_of_whoever_is_asked_for(
    store: Store, source: Any, texts: list[str]
) -> None:
    one, two = await recorded(store, input_text="one"), await recorded(store, input_text="two")
    await store.feedback.record(a_vote(one, voter="session:s", **DOWN))
    await labelled(store, one)
    await labelled(store, two, value="hallucination_detected", sentiment=-1)
    where = Filter(sentiment=-1, source=source)
    assert [one.text async for batch in store.reviews.distinct_inputs(where) for one in batch] == texts


async def test_erasure_and_retention_reach_labels_and_turns(store: Store) -> None:
    one = await recorded(store, session_id="s")
    two = await recorded(store, created_at=NOON - 1_000)
    await labelled(store, one)
    await labelled(store, two)
    waiting = await recorded(store, user_id="ada")
    await store.judgements.take(a_turn(waiting))
    assert (await store.deletion.erase(session_id="s")).generations == 1
    assert (await store.deletion.erase(user_id="ada")).generations == 1
    assert (await store.deletion.prune(NOON)).generations == 1
    assert await found(store, ALL) == []
    assert not await store.judgements.take(a_turn(one))


async def test_a_label_on_a_generation_that_is_gone_is_nothing(store: Store) -> None:
    generation = await recorded(store, session_id="s")
    await store.judgements.take(a_turn(generation))
    await store.deletion.erase(session_id="s")
    assert await store.judgements.end(a_turn(generation), a_label(generation)) is None
    assert not await store.judgements.take(a_turn(generation))


async def test_a_refused_label_leaves_the_turn_open(store: Store) -> None:
    generation = await recorded(store)
    await store.judgements.take(a_turn(generation))
    with pytest.raises(GenerationNotFound):
        await store.judgements.end(a_turn(generation), a_label(replace(generation, id="gen_unknown")))
    assert await store.judgements.end(a_turn(generation), a_label(generation)) is not None


async def test_when_each_judge_last_gave_a_label_is_known(store: Store, clock: Clock) -> None:
    for sentiment, value in ((1, "accurate"), (-1, "made_up"), (1, "accurate")):
        clock.now += 1_000_000
        await labelled(store, await recorded(store), value=value, sentiment=sentiment)
    last = max(label.timestamp for label in await found(store, LABELS))
    assert await store.judgements.last_labelled(["accuracy", "quality"]) == {"accuracy": last}
