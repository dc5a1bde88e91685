"""What is answered, as types: mypy holds the code to them, and the API's description shows them with these docstrings.

Nothing is checked against them at run time, which would cost more than a vote does; the test of a generated client
compares them with what a running server answers.
"""

from typing import Literal, NotRequired, TypedDict

from canopy.api.generation_responses import NameBySide, Parameters, Usage
from canopy.auth.identity import Role
from canopy.config.feature_values import Variant
from canopy.experiments.comparison import VariantBySide
from canopy.experiments.report import BallotStatisticsPayload, DecisionPayload, ExperimentPayload, PromptPayload
from canopy.store.experiments.experiment import Preference
from canopy.store.vocabulary import Source

type SentimentName = Literal["positive", "neutral", "negative"]


class Finding(TypedDict):
    """One thing that is wrong with a request."""

    loc: list[str | int]
    msg: str
    type: str


class Failure(TypedDict):
    """Every error: what is wrong and how to fix it, a code for programs, and under which id operators find it."""

    detail: str
    code: str
    request_id: str
    errors: NotRequired[list[Finding]]


class Ok(TypedDict):
    """What was asked for has been done."""

    status: Literal["ok"]


class VoteKept(Ok):
    """The vote is committed, or taken back."""

    feedback_id: str


class ReviewKept(Ok):
    """The expected result is committed. `repeated`: it was so already."""

    outcome: Literal["created", "replaced", "repeated", "deleted"]


class PromptBySide(TypedDict):
    """A prompt for each side."""

    a: PromptPayload
    b: PromptPayload


class BallotKept(Ok):
    """The ballot is committed, and which prompt was which is no secret any more. No winner: a tie, or both bad."""

    comparison_id: str
    preference: Preference
    winning_prompt: Variant | None
    prompt_mapping: VariantBySide
    prompts: PromptBySide


class BallotEntry(TypedDict):
    """A ballot and what it is about."""

    id: str
    experiment: str
    timestamp: str
    preference: Preference
    winning_prompt: Variant | None
    prompt_mapping: VariantBySide
    prompt_id: str
    prompt_b_id: str
    input_text: str
    response_a: str
    response_b: str
    generation_ids: NameBySide
    comment: str | None
    reasons: list[str]
    user_id: str | None
    request_id: str
    model: str
    config_revision: str


class ExperimentId(TypedDict):
    """An experiment in a list."""

    id: str
    feature: str
    created_at: str


class Ballots(TypedDict):
    """What all ballots say, a page of them, and the statistics and the decision of one experiment."""

    total: int
    prompt_a_wins: int
    prompt_b_wins: int
    ties: int
    both_bad: int
    experiment: ExperimentPayload | None
    statistics: BallotStatisticsPayload | None
    decision: DecisionPayload | None
    experiments: list[ExperimentId]
    entries: list[BallotEntry]
    next: str | None


class Said(TypedDict):
    """One turn of a conversation."""

    role: str
    content: str


class Judgement(TypedDict):
    """What a judge said about a response."""

    id: str
    judge: str
    label: str
    sentiment: SentimentName
    model: str | None
    rationale: str | None


class Entry(TypedDict):
    """A vote, and what produced the response: all of that is null where Canopy didn't."""

    id: str
    timestamp: str
    feature: str
    rating: int | str
    name: str
    input_text: str
    response_text: str
    comment: str | None
    reasons: list[str]
    user_id: str | None
    source: Source
    source_id: str | None
    created_at: str
    config_revision: str
    generation_id: str | None
    request_id: str | None
    prompt_id: str | None
    prompt: str | None
    model: str | None
    parameters: Parameters | None
    messages: list[Said] | None
    usage: Usage | None
    time_to_first_token_seconds: float | None
    duration_seconds: float | None
    judgements: list[Judgement]


class Entries(TypedDict):
    """A page of votes. No `total`: there are more than are counted. `next` leads to the next page."""

    total: int | None
    searched_to: str | None
    feedback: list[Entry]
    next: str | None


class BadAnswer(TypedDict):
    """A vote that made a text one to review."""

    feedback_id: str
    timestamp: str
    rating: int | str
    reasons: list[str]
    comment: str | None
    response_text: str


class Case(TypedDict):
    """A text to review."""

    feedback_id: str
    prompt: str
    expected_result: str
    answers: list[BadAnswer]


class Cases(TypedDict):
    """A page of texts to review, and how many there are in all."""

    total: int
    reviewed: int
    cases: list[Case]
    next: str | None


class Flag(TypedDict):
    """A flag and why it is so."""

    enabled: bool
    reason: str


class InForce(TypedDict):
    """What a feature asks of which model."""

    model: str
    prompt_id: str
    temperature: float
    max_tokens: int
    title: str
    endpoint: str
    ab_testing: Flag


class FlagDetails(TypedDict):
    """All flags with their reasons, and what each feature asks."""

    config_revision: str
    flags: dict[str, Flag]
    features: dict[str, InForce]


class Ready(TypedDict):
    """Whether work should be sent here, and what that rests on."""

    status: Literal["ok", "unavailable"]
    state: str
    store: str


class SignedIn(TypedDict):
    """Who signed in."""

    user: str
    role: Role


class Who(TypedDict):
    """Who one is here; null where nobody is known."""

    mode: Literal["open", "token", "proxy"]
    user: str | None
    role: Role | None
