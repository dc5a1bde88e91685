"""Defines the records of reviews: what a person expects of the answer to a text that others found badly answered."""

from sys import getsizeof
from typing import Literal, NamedTuple

from canopy.base.ratings import KindName

type ReviewState = Literal["waiting", "all"]


class Review(NamedTuple):
    """Holds an expected result, before the store has found its text: by a vote on it, or by the text itself."""

    feature: str | None  # None: that of the vote
    feedback_id: str | None
    input_text: str | None
    expected_result: str  # empty: take back what was written

    @property
    def memory(self) -> int:
        """Return the bytes that its texts take, known without a look at them: one to four for each character."""
        return getsizeof(self.input_text) + getsizeof(self.expected_result)


class ReviewReceipt(NamedTuple):
    """Describes the committed review, without its texts."""

    outcome: Literal["created", "replaced", "repeated", "deleted"]  # `repeated`: it was so already
    feature: str
    input_length: int  # characters
    expected_length: int  # characters


class Input(NamedTuple):
    """Holds a text that was voted on, and what a reviewer expects of its answer: empty where nobody wrote it."""

    text: str
    expected_result: str


class BadResponse(NamedTuple):
    """Holds a vote on an answer to a text, as a reviewer needs it."""

    feedback_id: str
    timestamp: int
    kind: KindName
    value: str
    sentiment: int
    reasons: list[str]
    comment: str | None
    response_text: str


class ReviewCase(NamedTuple):
    """Holds a text to review, and the newest of the votes that made it one."""

    feedback_id: str  # of the first vote on it
    input_text: str
    expected_result: str
    answers: list[BadResponse]

    @property
    def chars(self) -> int:
        """Return how many characters all its texts have."""
        of_answers = sum(len(it.response_text) + len(it.comment or "") for it in self.answers)
        return len(self.input_text) + len(self.expected_result) + of_answers


class ReviewPage(NamedTuple):
    """Holds cases by the time of their first vote, and the cursor of the next page (None: this is the last)."""

    cases: list[ReviewCase]
    next: str | None
