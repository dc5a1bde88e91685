"""What reviewers say of a text: each action, what undoes it, who did what, and two of them at once."""

import asyncio
from typing import Any

import pytest

from canopy.base.errors import FeedbackNotFound, InputError, ReviewConflict
from canopy.store.feedback.query import Filter
from canopy.store.generations.generation import Generation
from canopy.store.judges.judgement import JudgementLease
from canopy.store.reviews.review import Review, ReviewCase, ReviewCounts, ReviewReceipt
from canopy.store.store import Store
from tests.contract.store.records import DOWN, HOUR, NOON, Clock, a_vote, on_texts
from tests.contract.store.test_judgements import a_label, recorded
from tests.contract.store.test_review_queue import BAD, disliked, judged
from tests.contract.store.test_reviews import exported

ANY = Filter(source="any")


async def act(store: Store, text: str, action: Any = "expected_result", **fields: Any) -> ReviewReceipt:
    named = {"feature": "summarize", "feedback_id": None, "input_text": text, "expected_result": ""} | fields
    return await store.reviews.record(Review(**named, action=action))


async def case_of(store: Store, text: str) -> ReviewCase:
    cases = (await store.reviews.page(ANY, "all", 100, None)).cases
    (found,) = [case for case in cases if case.input_text == text]
    return found


async def counts(store: Store) -> ReviewCounts:
    found = await store.reviews.counts(ANY)
    assert found is not None
    return found


async def test_each_action_moves_the_text_and_the_counts(store: Store) -> None:
    for text in ("expected", "fine", "dismissed", "waiting"):
        await disliked(store, text)
    assert (await act(store, "expected", expected_result="Good.")).outcome == "created"
    assert (await act(store, "fine", "fine")).outcome == "fine"
    assert (await act(store, "dismissed", "dismiss")).outcome == "dismissed"
    assert await counts(store) == (1, 1, 1, 1)
    for text in ("expected", "fine", "dismissed", "waiting"):
        assert (await case_of(store, text)).item.state == text
    assert {it.text for it in await exported(store)} == {"expected", "waiting"}
    again = [(await act(store, text, action)).outcome for text, action in (("fine", "fine"), ("dismissed", "dismiss"))]
    assert again == ["repeated", "repeated"]
    for text in ("expected", "fine", "dismissed"):
        assert (await act(store, text, "reopen")).outcome == "reopened"
    assert await counts(store) == (4, 0, 0, 0)
    assert (await case_of(store, "expected")).expected_result == ""


async def test_what_is_fine_waits_again_after_a_newer_bad_verdict_and_what_is_dismissed_does_not(store: Store) -> None:
    generations = {text: await disliked(store, text) for text in ("fine", "dismiss")}
    for text in ("fine", "dismiss"):
        await act(store, text, text)
    for generation in generations.values():
        await store.feedback.record(a_vote(generation, voter="session:liked"))
    assert await counts(store) == (0, 0, 1, 1)
    for generation in generations.values():
        await store.feedback.record(a_vote(generation, voter="session:other", **DOWN))
    assert await counts(store) == (1, 0, 0, 1)
    assert (await case_of(store, "fine")).item.people == 2


async def test_undo_takes_back_one_step_after_the_other(store: Store) -> None:
    await disliked(store, "one")
    await act(store, "one", expected_result="a")
    await act(store, "one", expected_result="b")
    await act(store, "one", "dismiss")
    seen = []
    for _ in range(3):
        receipt = await act(store, "one", "undo")
        seen.append((receipt.outcome, receipt.state, (await case_of(store, "one")).expected_result))
    assert seen == [("undone", "expected", "b"), ("undone", "expected", "a"), ("undone", "waiting", "")]
    with pytest.raises(InputError, match="nothing to undo"):
        await act(store, "one", "undo")
    assert await counts(store) == (1, 0, 0, 0)
    await act(store, "one", "fine")
    assert (await act(store, "one", "undo")).state == "waiting"


async def test_a_text_that_nobody_finds_bad_leaves_no_item_when_its_review_is_undone(store: Store) -> None:
    await store.feedback.record(on_texts("liked"))
    await act(store, "liked", expected_result="Good.")
    assert (await store.reviews.page(ANY, "all", 10, None)).cases == []
    assert (await act(store, "liked", "undo")).state == "waiting"
    assert (await counts(store)).total == 0


async def test_who_did_what_is_kept_and_forgotten_with_the_person_or_the_text(store: Store) -> None:
    generation = await disliked(store, "one")
    await act(store, "one", expected_result="a", reviewer="ana")
    await act(store, "one", "fine", reviewer="ben")
    await act(store, "one", "undo", reviewer="ben")
    case = await case_of(store, "one")
    assert [(it.reviewer, it.action, it.state_before, it.state_after, it.undone) for it in case.steps] == [
        ("ben", "undo", "fine", "expected", False),
        ("ben", "fine", "expected", "fine", True),
        ("ana", "expected_result", "waiting", "expected", False),
    ]
    assert (case.item.reviewer, case.item.revision) == ("ben", 3)
    await store.deletion.erase(user_id="ben")
    case = await case_of(store, "one")
    assert [it.reviewer for it in case.steps] == [None, None, "ana"]
    assert case.item.reviewer is None
    vote = (await store.feedback.page(Filter(), 1, None)).feedback[0]
    await store.feedback.retract(vote.id)
    await store.feedback.record(a_vote(generation, voter="session:s", **DOWN))
    case = await case_of(store, "one")
    assert (case.steps, case.expected_result, case.item.state) == ([], "", "waiting")


async def test_who_is_later_is_told_who_was_earlier(store: Store) -> None:
    await disliked(store, "one")
    await act(store, "one", expected_result="Ana's", reviewer="ana", revision=0)
    with pytest.raises(ReviewConflict, match="ana wrote what is expected at 2027"):
        await act(store, "one", "fine", reviewer="ben", revision=0)
    assert (await case_of(store, "one")).expected_result == "Ana's"
    assert (await act(store, "one", "fine", reviewer="ben", revision=1)).revision == 2
    with pytest.raises(ReviewConflict, match="ben found the answer fine"):
        await act(store, "one", "undo", reviewer="ana", revision=1)
    await disliked(store, "one", voter="session:other")
    with pytest.raises(ReviewConflict, match="Somebody found an answer to this text bad"):
        await act(store, "one", "dismiss", reviewer="ana", revision=2)


async def test_of_two_at_once_one_is_told(store: Store) -> None:
    await disliked(store, "one")
    outcomes = await asyncio.gather(
        *(act(store, "one", expected_result=name, reviewer=name, revision=0) for name in ("ana", "ben")),
        return_exceptions=True,
    )
    assert [type(it) for it in outcomes] == [ReviewReceipt, ReviewConflict]


async def test_the_same_request_again_changes_nothing_and_is_no_conflict(store: Store) -> None:
    await disliked(store, "one")
    for action, state in (("fine", "fine"), ("undo", "waiting"), ("dismiss", "dismissed")):
        revision = (await case_of(store, "one")).item.revision
        receipts = [await act(store, "one", action, reviewer="ana", revision=revision) for _ in range(2)]
        assert [it.state for it in receipts] == [state, state]
        assert receipts[1].outcome == "repeated"


async def test_what_is_written_for_nothing_or_a_conversation_is_refused(store: Store) -> None:
    with pytest.raises(FeedbackNotFound):
        await act(store, "", "fine", input_text=None, item=("0" * 32, "summarize"), feature=None)
    vote = await store.feedback.record(on_texts("one", feature="summarize_chat", **DOWN))
    with pytest.raises(InputError, match="follow-up"):
        await act(store, "", "fine", feedback_id=vote.feedback_id, input_text=None, feature=None)
    await disliked(store, "by people")
    with pytest.raises(InputError, match="No judge"):
        await act(store, "by people", "judge_wrong")


async def _labelled(store: Store, text: str, value: str = BAD["value"], sentiment: int = -1) -> tuple[Generation, str]:
    """A response with the label of a judge, as the judge's turn gives it; also returns the label's id."""
    generation = await recorded(store, input_text=text)
    turn = JudgementLease(generation.id, "accuracy", "v1", "owner", HOUR)
    assert await store.judgements.take(turn)
    receipt = await store.judgements.end(turn, a_label(generation, value, sentiment))
    assert receipt is not None
    return generation, receipt.feedback_id


async def _agreement(store: Store) -> list[tuple[int, int, int]]:
    found = await store.judgements.agreement("accuracy", "v1", NOON - HOUR)
    return [(it.label_sentiment, it.vote_sentiment, it.n) for it in found]


async def test_what_a_reviewer_says_of_a_label_counts_in_the_judges_agreement(store: Store) -> None:
    _, wrong = await _labelled(store, "wrong")
    _, missed = await _labelled(store, "missed", "supported", 1)
    generation, _ = await _labelled(store, "both")
    await store.feedback.record(a_vote(generation, voter="session:s", **DOWN))
    assert await _agreement(store) == [(-1, -1, 1)]

    receipt = await act(store, "", "judge_wrong", feedback_id=wrong, input_text=None, feature=None)
    assert (receipt.outcome, receipt.state) == ("judge_wrong", "fine")  # nobody else finds it bad
    assert (await case_of(store, "wrong")).opinions == {wrong: 1}
    receipt = await act(store, "", "judge_wrong", feedback_id=missed, input_text=None, feature=None)
    assert receipt.state == "waiting"
    receipt = await act(store, "both", "judge_wrong")
    assert receipt.state == "waiting"  # a person finds it bad
    assert await _agreement(store) == [(-1, -1, 1), (-1, 1, 2), (1, -1, 1)]

    assert (await act(store, "both", "undo")).outcome == "undone"
    assert (await act(store, "wrong", "undo")).state == "waiting"
    assert await _agreement(store) == [(-1, -1, 1), (1, -1, 1)]
    assert (await case_of(store, "wrong")).opinions == {}

    await act(store, "both", "fine")
    assert await _agreement(store) == [(-1, -1, 1), (-1, 1, 1), (1, -1, 1)]
    await act(store, "both", "undo")
    assert await _agreement(store) == [(-1, -1, 1), (1, -1, 1)]


async def test_an_opinion_is_about_what_the_label_said_and_goes_with_the_label(store: Store) -> None:
    generation, label = await _labelled(store, "one")
    await act(store, "one", "judge_wrong")
    await store.feedback.record(a_label(generation, "supported", 1))
    await store.feedback.record(a_vote(generation, voter="session:s", **DOWN))
    assert (await case_of(store, "one")).opinions == {}
    await store.feedback.record(a_label(generation, **BAD))
    assert (await case_of(store, "one")).opinions == {label: 1}
    await store.feedback.retract(label)
    await act(store, "one", "undo")
    assert (await case_of(store, "one")).opinions == {}


async def test_one_label_of_two_that_is_wrong_leaves_the_text_waiting(store: Store) -> None:
    generation = await judged(store, "one")
    other = await store.feedback.record(a_label(generation, "poor", -1, name="quality", voter="judge:quality"))
    await judged(store, "newer")
    assert [it.input_text for it in (await store.reviews.page(ANY, "waiting", 9, None)).cases] == ["one", "newer"]
    first = await act(store, "", "judge_wrong", feedback_id=other.feedback_id, input_text=None, feature=None)
    assert first.state == "waiting"
    # What is wrong has no weight any more, until that is undone.
    assert [it.input_text for it in (await store.reviews.page(ANY, "waiting", 9, None)).cases] == ["newer", "one"]
    item = (await case_of(store, "one")).item
    assert item.judges - item.wrong == 1
    await act(store, "one", "undo")
    assert [it.input_text for it in (await store.reviews.page(ANY, "waiting", 9, None)).cases] == ["one", "newer"]
    await act(store, "", "judge_wrong", feedback_id=other.feedback_id, input_text=None, feature=None)
    assert (await act(store, "one", "judge_wrong")).state == "fine"
    assert (await act(store, "one", "judge_wrong")).outcome == "repeated"


async def test_an_item_is_found_by_its_name_whatever_its_state_with_its_position(store: Store, clock: Clock) -> None:
    for number in range(3):
        await disliked(store, f"text {number}")
        clock.now += 1_000
    case = await case_of(store, "text 1")
    page = await store.reviews.at(case.item.key, ANY, "waiting")
    assert [(it.input_text, it.position) for it in page.cases] == [("text 1", 2)]
    after = await store.reviews.page(ANY, "waiting", 10, page.next)
    assert [(it.input_text, it.position) for it in after.cases] == [("text 0", 3)]
    await act(store, "text 1", "dismiss")
    page = await store.reviews.at(case.item.key, ANY, "waiting")
    assert [(it.input_text, it.position) for it in page.cases] == [("text 1", None)]
    assert [it.position for it in (await store.reviews.at(case.item.key, ANY, "all")).cases] == [2]
    assert (await store.reviews.at(("0" * 32, "summarize"), ANY, "waiting")).cases == []
