"""Defines how feedback is selected, and what is read of it. Times are integers: microseconds since the epoch, UTC."""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from canopy.base.ratings import KindName
from canopy.store.vocabulary import Source

type Sources = Literal["human", "judge", "any"]
type Origin = Literal["own", "other"]


class Feedback(NamedTuple):
    """Holds a stored vote, its texts, and what produced the response (None where no generation is known)."""

    id: str
    timestamp: int  # of the vote in force
    created_at: int  # of the voter's first vote on this subject
    name: str
    kind: KindName
    value: str
    sentiment: int
    feature: str
    source: Source
    source_id: str | None
    comment: str | None
    reasons: list[str]
    user_id: str | None
    session_id: str | None
    input_text: str
    response_text: str
    config_revision: str
    generation_id: str | None
    trace_id: str | None
    prompt_id: str | None
    prompt_text: str | None
    model: str | None
    parameters: dict[str, Any] | None
    messages: list[dict[str, str]] | None
    duration: float | None
    time_to_first_token: float | None
    input_tokens: int | None
    output_tokens: int | None
    input_length: int  # characters of the whole text, also of one that is cut; so is the next
    response_length: int
    suggestion: str | None  # what the voter says a good answer would have been


@dataclass(frozen=True, slots=True)
class Filter:
    """Selects feedback. Every field that is set must match."""

    value: str | None = None
    sentiment: int | None = None
    feature: str | None = None
    prompt_id: str | None = None
    model: str | None = None
    scores: tuple[int, ...] = ()  # any of these; empty: every rating
    since: int | None = None  # timestamp >= since
    until: int | None = None  # timestamp < until
    search: str | None = None  # in the input, the response or the comment, whatever the case
    name: str | None = None  # of a judge, for its labels
    label: str | None = None  # that a judge gave the response; this and the next two in pages and their counts alone
    reason: str | None = None  # among those that the vote gives
    commented: bool | None = None  # whether there is a comment
    source: Sources = "human"  # whose: people's votes, judges' labels, or both
    origin: Origin | None = None  # on what: responses that Canopy made, or other texts


@dataclass(frozen=True, slots=True)
class Page:
    """Holds feedback, newest first, and the cursor of the next page (None: this is the last)."""

    feedback: list[Feedback]
    next: str | None
    searched_to: int | None = None  # where a search stopped before it had found enough for a page


class MatchCount(NamedTuple):
    """Says how many match."""

    n: int
    whole: bool  # False: at least `n`, for more than that are not counted


@dataclass(frozen=True, slots=True)
class FeedbackCount:
    """Counts the votes that share everything else in this record."""

    feature: str
    name: str
    kind: KindName
    value: str
    sentiment: int
    prompt_id: str | None
    model: str | None
    n: int


class HourCount(NamedTuple):
    """Counts the votes of one hour that are for, against, or neither."""

    hour: int  # microseconds since the epoch, a whole hour
    sentiment: int
    n: int


class ProducerCount(NamedTuple):
    """Counts the votes of one stretch of time, on answers of one prompt with one model, that say the same."""

    hour: int  # when the stretch begins: microseconds since the epoch, a whole hour
    feature: str
    prompt_id: str
    model: str
    sentiment: int
    n: int
