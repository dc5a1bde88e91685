"""Defines the records of reviews: texts that were badly answered, and what reviewers say and do about them."""

from sys import getsizeof
from typing import Literal, NamedTuple

from canopy.base.ratings import KindName
from canopy.store.feedback.review_items import Item, ItemKey, ItemState
from canopy.store.judges.judgement import JudgeLabel
from canopy.store.vocabulary import Source

# Which items are meant: those in one state, or all.
type ReviewState = Literal["waiting", "expected", "fine", "dismissed", "all"]

STATES: tuple[ItemState, ...] = ("waiting", "expected", "fine", "dismissed")

# What a reviewer does: writes what is expected (or takes it back), finds the answer fine, dismisses the text, lets it
# wait again, contradicts judges, or takes the last of these back.
type Action = Literal["expected_result", "fine", "dismiss", "reopen", "judge_wrong", "undo"]
type ReviewOutcome = Literal[
    "created", "replaced", "repeated", "deleted", "fine", "dismissed", "reopened", "judge_wrong", "undone"
]


# All but `repeated`, which changes nothing.
OUTCOMES: tuple[ReviewOutcome, ...] = (
    "created",
    "replaced",
    "deleted",
    "fine",
    "dismissed",
    "reopened",
    "judge_wrong",
    "undone",
)


class Review(NamedTuple):
    """Holds what a reviewer does, before the store has found the text: by a vote on it, by itself, or by its item."""

    feature: str | None  # None: that of the vote
    feedback_id: str | None  # a vote on the text; of a judge's label that is contradicted, the label
    input_text: str | None
    expected_result: str  # empty: take back what was written
    item: ItemKey | None = None
    action: Action = "expected_result"
    revision: int | None = None  # of the item as the reviewer saw it; None: whatever it is
    reviewer: str | None = None  # None: nobody knows who

    @property
    def memory(self) -> int:
        """Return the bytes that its texts take, known without a look at them: one to four for each character."""
        return getsizeof(self.input_text) + getsizeof(self.expected_result)


class ReviewReceipt(NamedTuple):
    """Describes the committed review, without its texts."""

    outcome: ReviewOutcome  # `repeated`: it was so already
    feature: str
    input_length: int  # characters
    expected_length: int  # characters
    item: ItemKey
    action: Action
    state: ItemState
    revision: int


class Input(NamedTuple):
    """Holds a text that was voted on, and what a reviewer expects of its answer: empty where nobody wrote it."""

    text: str
    expected_result: str


class BadVerdict(NamedTuple):
    """Holds a person's vote or a judge's label that finds an answer bad, as a reviewer needs it."""

    feedback_id: str
    timestamp: int
    name: str  # of a label: its judge
    kind: KindName
    value: str
    sentiment: int
    source: Source
    reasons: list[str]
    comment: str | None
    suggestion: str | None
    generation_id: str | None
    response_text: str


class Suggestion(NamedTuple):
    """Holds what a voter says a good answer would have been."""

    feedback_id: str
    timestamp: int
    text: str


class ReviewStep(NamedTuple):
    """Describes something that a reviewer did with an item."""

    at: int
    reviewer: str | None
    action: Action
    state_before: ItemState
    state_after: ItemState
    undone: bool


class ReviewCase(NamedTuple):
    """Holds a text to review: its item, who found which answers bad, what voters suggest, and what reviewers did."""

    item: Item
    position: int | None  # in the list that was asked for, from 1; None: not in it, or nobody counted so far
    feedback_id: str  # of the first vote on it
    input_text: str
    expected_result: str
    verdicts: list[BadVerdict]  # the newest
    suggestions: list[Suggestion]  # the newest
    labels: dict[str, list[JudgeLabel]]  # of the responses that were found bad, by generation
    opinions: dict[str, int]  # of reviewers about these labels: what they say of the response, by the label's id
    steps: list[ReviewStep]  # newest first

    @property
    def chars(self) -> int:
        """Return about how many characters all its texts have."""
        of_verdicts = sum(len(it.response_text) + len(it.comment or "") for it in self.verdicts)
        return (
            len(self.input_text)
            + len(self.expected_result)
            + of_verdicts
            + sum(len(it.text) for it in self.suggestions)
        )


class ListedText(NamedTuple):
    """Holds what a list of texts to review shows of one."""

    item: Item
    position: int  # in the list, from 1
    feedback_id: str  # of a bad verdict on it, or else of any vote
    excerpt: str  # of the text


class ReviewList(NamedTuple):
    """Holds a page of a list of texts, worst first, and the cursor of the next one (None: this is the last)."""

    texts: list[ListedText]
    next: str | None


class ReviewPage(NamedTuple):
    """Holds cases, worst first, and the cursor of the next page (None: this is the last)."""

    cases: list[ReviewCase]
    next: str | None


class ReviewCounts(NamedTuple):
    """Counts the items of a selection by their state."""

    waiting: int
    expected: int
    fine: int
    dismissed: int

    @property
    def total(self) -> int:
        """Return how many there are."""
        return sum(self)

    @property
    def reviewed(self) -> int:
        """Return how many don't wait any more."""
        return self.total - self.waiting

    @property
    def tests(self) -> int:
        """Return of how many the export makes tests."""
        return self.waiting + self.expected


def item_name(key: ItemKey) -> str:
    """Return an item's name for clients and addresses."""
    return f"{key[1]}:{key[0]}"


def parse_item_name(name: str) -> ItemKey | None:
    """Return the key of the item with this name; None for a text that no item can have."""
    feature, _, digest = name.rpartition(":")
    well_formed = feature and len(digest) == 32 and digest.isascii() and digest.isalnum() and "\0" not in feature
    return (digest, feature) if well_formed else None
