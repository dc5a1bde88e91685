"""The queue of bad responses: which are in it, in which order, and what a page of it costs."""

from typing import Any

import pytest

from canopy.base.errors import InputError
from canopy.store.feedback.query import Filter
from canopy.store.generations.generation import Generation
from canopy.store.reviews.review import Review
from canopy.store.store import Store
from tests.contract.store.costs import metered
from tests.contract.store.records import DOWN, HOUR, NOON, Clock, a_generation, a_vote, on_texts
from tests.contract.store.test_judgements import a_label, labelled, recorded

BAD: dict[str, Any] = {"value": "hallucination_detected", "sentiment": -1}


async def judged(store: Store, text: str, judge: str = "accuracy") -> Generation:
    """A response that a judge finds bad."""
    generation = await recorded(store, input_text=text)
    await store.feedback.record(a_label(generation, **BAD, name=judge, voter=f"judge:{judge}"))
    return generation


async def disliked(store: Store, text: str, voter: str = "session:s") -> Generation:
    """A response that a person finds bad."""
    generation = await recorded(store, input_text=text)
    await store.feedback.record(a_vote(generation, voter=voter, **DOWN))
    return generation


async def queue(store: Store, where: Filter | None = None, limit: int = 100) -> list[str]:
    """The texts behind the queue, page by page."""
    texts: list[str] = []
    cursor = None
    while True:
        page = await store.reviews.queue(where or Filter(), limit, cursor)
        texts += [entry.input_text for entry in page.feedback]
        cursor = page.next
        if cursor is None:
            return texts


@pytest.mark.parametrize("limit", [1, 2, 100])
async def test_what_both_find_bad_comes_before_what_a_person_does_and_that_before_what_a_judge_does(
    store: Store, limit: int
) -> None:
    await disliked(store, "person, earlier")
    both = await disliked(store, "both, earlier")
    await judged(store, "judge, earlier")
    await store.feedback.record(a_label(both, **BAD))
    both = await judged(store, "both, later")
    await judged(store, "judge, later")
    await store.feedback.record(a_vote(both, voter="session:s", **DOWN))
    await store.feedback.record(on_texts("person, on texts", **DOWN))
    assert await queue(store, limit=limit) == [
        "both, later",
        "both, earlier",
        "person, on texts",
        "person, earlier",
        "judge, later",
        "judge, earlier",
    ]


async def test_what_more_find_bad_comes_first_and_a_person_weighs_as_much_as_two_judges(store: Store) -> None:
    for name, people, judges in (("of four", 4, 0), ("of three", 0, 3), ("of one", 1, 0), ("of two and one", 2, 1)):
        generation = await recorded(store, input_text=name)
        for n in range(people):
            await store.feedback.record(a_vote(generation, voter=f"session:{n}", **DOWN))
        for n in range(judges):
            await store.feedback.record(a_label(generation, **BAD, name=f"j{n}", voter=f"judge:j{n}"))
    expected = ["of four", "of two and one", "of three", "of one"]
    for limit in (1, 2, 100):
        assert await queue(store, limit=limit) == expected
    cases = [
        (await store.reviews.page(Filter(source=it), "waiting", 9, None)).cases for it in ("any", "human", "judge")
    ]
    assert [[(it.input_text, it.position) for it in page] for page in cases] == [
        [(name, number) for number, name in enumerate(names, 1)]
        for names in (expected, ["of four", "of two and one", "of one"], ["of two and one", "of three"])
    ]
    at = await store.reviews.at(cases[0][2].item.key, Filter(source="any"), "waiting")
    assert [it.position for it in at.cases] == [3]
    # However many there are more, they count as ten.
    for n in range(10):
        await store.feedback.record(on_texts("of ten", voter=f"session:{n}", **DOWN))
    most = await recorded(store, input_text="of twelve")
    for n in range(12):
        await store.feedback.record(a_vote(most, voter=f"session:{n}", **DOWN))
    await store.feedback.record(on_texts("of ten", voter="session:x", **DOWN))
    assert await queue(store) == ["of ten", "of twelve", *expected]


async def test_what_nobody_finds_bad_is_not_in_the_queue(store: Store) -> None:
    fine = await recorded(store)
    await store.feedback.record(a_vote(fine, voter="session:s"))
    await store.feedback.record(a_vote(fine, voter="session:t", kind="score", value="3", sentiment=0))
    await labelled(store, fine)
    assert await queue(store) == []


async def test_a_response_stands_there_once_however_many_find_it_bad(store: Store) -> None:
    generation = await judged(store, "twice by judges")
    await store.feedback.record(a_label(generation, "poor", -1, name="quality", voter="judge:quality"))
    generation = await disliked(store, "twice by people")
    await store.feedback.record(a_vote(generation, voter="session:t", **DOWN))
    assert await queue(store, limit=1) == ["twice by people", "twice by judges"]
    (_, first) = (await store.reviews.queue(Filter(), 2, None)).feedback
    assert (first.name, first.value) == ("quality", "poor")


async def test_what_is_reviewed_leaves_the_queue_and_comes_back_with_its_review_taken_back(store: Store) -> None:
    for text in ("one", "two"):
        await judged(store, text)
    await disliked(store, "three")
    await store.reviews.record(Review("summarize", None, "two", "What it should say."))
    await store.reviews.record(Review("summarize", None, "three", "What it should say."))
    assert await queue(store) == ["one"]
    await store.reviews.record(Review("summarize", None, "three", ""))
    assert await queue(store) == ["three", "one"]


async def test_what_cannot_be_reviewed_is_not_in_the_queue(store: Store) -> None:
    for feature in ("translate_chat", "translate", "translatexchat"):
        await store.feedback.record(on_texts(feature, feature=feature, **DOWN))
    assert await queue(store) == ["translatexchat", "translate"]
    assert await queue(store, Filter(feature="translate_chat")) == []
    for entry in (await store.reviews.queue(Filter(), 100, None)).feedback:
        await store.reviews.record(Review(None, entry.id, None, "What it should say."))
    assert await queue(store) == []


async def test_a_vote_that_is_changed_or_taken_back_leaves_the_queue(store: Store) -> None:
    generation = await disliked(store, "changed")
    await store.feedback.record(a_vote(generation, voter="session:s"))
    generation = await recorded(store, input_text="taken back")
    receipt = await store.feedback.record(a_vote(generation, voter="session:s", **DOWN))
    await store.feedback.retract(receipt.feedback_id)
    assert await queue(store) == []


async def test_the_queue_narrows_by_time_prompt_and_feature(store: Store, clock: Clock) -> None:
    early = await judged(store, "early")
    await store.feedback.record(a_label(await recorded(store, input_text="chat", feature="chat"), **BAD))
    await store.feedback.record(a_label(await recorded(store, input_text="two", prompt_id="sha256:two"), **BAD))
    clock.now = NOON + HOUR
    await store.feedback.record(a_vote(early, voter="session:s", **DOWN))
    assert await queue(store, Filter(feature="chat")) == ["chat"]
    assert await queue(store, Filter(prompt_id="sha256:two")) == ["two"]
    # A text is in a selection with each of its bad verdicts, and where it stands it stands everywhere.
    assert await queue(store, Filter(until=NOON + HOUR)) == ["early", "two", "chat"]
    assert await queue(store, Filter(since=NOON + HOUR)) == ["early"]
    assert await queue(store) == ["early", "two", "chat"]


@pytest.mark.parametrize("cursor", ["", "3", "x", "0nonsense", "9" * 30])
async def test_only_its_own_cursors_are_taken(store: Store, cursor: str) -> None:
    with pytest.raises(InputError):
        await store.reviews.queue(Filter(), 10, cursor)


def _fill(store: Store, amount: int) -> None:
    """Responses of which each fourth is bad for both, for a judge, for a person, and for nobody."""
    generations = [a_generation(input_text=f"text {number}") for number in range(amount)]
    votes = []
    for number, generation in enumerate(generations):
        if number % 4 in (0, 1):
            votes.append(a_label(generation, **BAD))
        if number % 4 in (0, 2):
            votes.append(a_vote(generation, voter="session:s", **DOWN))
    with store.executor.database.writer.begin() as conn:
        store.generations.record_all(conn, generations)
        store.feedback.votes.record(conn, votes)


async def test_a_page_of_the_queue_costs_the_same_however_long_it_is(store: Store) -> None:
    async def costs() -> list[int]:
        found = []
        later = (await store.reviews.queue(Filter(), 200, None)).next
        for cursor in (None, later):
            with metered(store) as spent:
                page = await store.reviews.queue(Filter(), 25, cursor)
                counts = await store.reviews.counts(Filter(source="any"))
            assert len(page.feedback) == 25
            assert counts is not None
            found.append(spent.amount)
        return found

    _fill(store, 1_000)
    few = await costs()
    _fill(store, 6_000)
    for before, after in zip(few, await costs(), strict=True):
        assert after <= 1.5 * before + 20


async def test_a_page_of_votes_by_a_judges_label_costs_the_same_however_many_there_are(store: Store) -> None:
    where = Filter(label="hallucination_detected")
    costs = []
    for amount in (1_000, 6_000):
        _fill(store, amount)
        with metered(store) as spent:
            assert len((await store.feedback.page(where, 25, None)).feedback) == 25
        costs.append(spent.amount)
    assert costs[1] <= 1.5 * costs[0] + 20


async def test_a_request_looks_at_so_much_and_no_more(store: Store) -> None:
    """Where nothing near the top matches, a page is short and says where to go on, and nobody counts them all."""
    generations = [a_generation(input_text=f"text {number}") for number in range(5_100)]
    with store.executor.database.writer.begin() as conn:
        store.generations.record_all(conn, generations)
        store.feedback.votes.record(conn, [a_vote(it, voter="session:s", **DOWN) for it in generations])
    generation = await recorded(store, input_text="wanted", prompt_id="sha256:two")
    await store.feedback.record(a_label(generation, **BAD))
    wanted = Filter(source="any", prompt_id="sha256:two")
    page = await store.reviews.page(wanted, "waiting", 25, None)
    assert page.cases == []
    found = []
    while page.next is not None:
        page = await store.reviews.page(wanted, "waiting", 25, page.next)
        found += [(case.input_text, case.position) for case in page.cases]
    assert found == [("wanted", 1)]
    assert await store.reviews.counts(wanted) is None
    assert (await store.reviews.counts(Filter(source="any"))) == (5_101, 0, 0, 0)
