"""Types of the JSON responses about reviews; see `canopy.api.responses`."""

from typing import Literal, TypedDict

from canopy.api.responses import Judgement, Ok
from canopy.store.feedback.review_items import ItemState
from canopy.store.reviews.review import Action, ReviewOutcome
from canopy.store.vocabulary import Source


class ReviewKept(Ok):
    """The review is committed. `repeated`: it was so already. `state` and `revision` are the item's now."""

    outcome: ReviewOutcome
    item: str
    state: ItemState
    revision: int


class ReviewFailed(TypedDict):
    """One of several reviews that could not be stored, and why."""

    status: Literal["error"]
    item: str | None
    detail: str
    code: str


class ReviewsKept(Ok):
    """What became of each of several reviews, in their order."""

    results: list[ReviewKept | ReviewFailed]


class ReviewedJudgement(Judgement):
    """A judge's label, and whether a reviewer says that it is wrong: null if none said anything."""

    wrong: bool | None


class BadAnswer(TypedDict):
    """A negative vote or a judge's negative label, with the response that it is about and all labels of that."""

    feedback_id: str
    timestamp: str
    name: str
    rating: int | str
    source: Source
    reasons: list[str]
    comment: str | None
    suggestion: str | None
    generation_id: str | None
    response_text: str
    judgements: list[ReviewedJudgement]


class SuggestedResult(TypedDict):
    """What a voter says a good answer would have been."""

    feedback_id: str
    timestamp: str
    text: str


class ReviewEvent(TypedDict):
    """What a reviewer did with an item; `undone` if somebody took it back."""

    timestamp: str
    reviewer: str | None
    action: Action
    state_before: ItemState
    state_after: ItemState
    undone: bool


class Case(TypedDict):
    """A text to review: what is a good answer to it?

    `position` counts from 1 in the list that was asked for; null if the item isn't in it, or it isn't known.
    `people` and `judges` are the numbers of people's bad votes and of bad labels that no reviewer contradicts,
    `timestamp` is the newest one's. Votes, not people: who presses No on two answers, or Both bad once, gives two.
    """

    item: str
    feature: str
    position: int | None
    state: ItemState
    revision: int
    people: int
    judges: int
    timestamp: str
    reviewer: str | None
    reviewed_at: str | None
    feedback_id: str
    prompt: str
    expected_result: str
    suggestions: list[SuggestedResult]
    answers: list[BadAnswer]
    history: list[ReviewEvent]


class StateCounts(TypedDict):
    """How many texts are in each state."""

    waiting: int
    expected: int
    fine: int
    dismissed: int


class Cases(TypedDict):
    """A page of texts to review, worst first, and how many there are.

    The counts are null if too many texts would have to be looked at, and on later pages of a narrowed list.
    """

    total: int | None
    reviewed: int | None
    states: StateCounts | None
    cases: list[Case]
    next: str | None
