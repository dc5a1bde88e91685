"""Types of the JSON responses. mypy checks the code against them, and the API's description shows these docstrings.

Responses are not validated at run time, which would cost more than a vote does; the test of a generated client compares
a running server's responses with these types.
"""

from typing import Any, Literal, NotRequired, TypedDict

from canopy.api.generation_responses import NameBySide, Parameters, Usage
from canopy.auth.identity import Role
from canopy.base.ratings import SENTIMENT_NAMES, SentimentName
from canopy.config.feature_values import Variant
from canopy.experiments.comparison import VariantBySide
from canopy.experiments.report import BallotStatisticsPayload, DecisionPayload, ExperimentPayload, PromptPayload
from canopy.store.experiments.experiment import Preference, Side
from canopy.store.judges.judgement import JudgeLabel
from canopy.store.vocabulary import Source


class Finding(TypedDict):
    """One mistake in a request."""

    loc: list[str | int]
    msg: str
    type: str


class Failure(TypedDict):
    """An error: what is wrong and how to fix it, a code for programs, and the id that the log has of it."""

    detail: str
    code: str
    request_id: str
    errors: NotRequired[list[Finding]]


class Ok(TypedDict):
    """The request succeeded."""

    status: Literal["ok"]


class VoteKept(Ok):
    """The vote is committed, or deleted."""

    feedback_id: str


class PromptBySide(TypedDict):
    """The prompt of each side."""

    a: PromptPayload
    b: PromptPayload


class BallotKept(Ok):
    """The ballot is committed, and the variants are revealed. No winner: a tie, or both bad."""

    comparison_id: str
    preference: Preference
    winning_prompt: Variant | None
    prompt_mapping: VariantBySide
    prompts: PromptBySide
    models: NameBySide


class BallotEntry(TypedDict):
    """A ballot and the comparison that it is about. `model_b` is variant B's; null where it is as A's."""

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
    model_b: str | None
    config_revision: str


class ExperimentId(TypedDict):
    """An experiment in a list."""

    id: str
    feature: str
    name: str | None
    created_at: str


class Ballots(TypedDict):
    """Counts of all ballots, a page of ballots, and the statistics and the decision of one experiment."""

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


class RecordedMessage(TypedDict):
    """One message of a recorded conversation."""

    role: str
    content: str


class Judgement(TypedDict):
    """A judge's label of a response."""

    id: str
    judge: str
    label: str
    sentiment: SentimentName
    model: str | None
    rationale: str | None


def judgement_of(label: JudgeLabel) -> Judgement:
    """Return a judge's label as clients get it."""
    return {
        "id": label.feedback_id,
        "judge": label.judge,
        "label": label.label,
        "sentiment": SENTIMENT_NAMES[label.sentiment],
        "model": label.model,
        "rationale": label.rationale,
    }


class Entry(TypedDict):
    """A vote, and what produced the response; the latter is null if Canopy did not produce it."""

    id: str
    timestamp: str
    feature: str
    rating: int | str
    name: str
    input_text: str
    response_text: str
    comment: str | None
    suggestion: str | None
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
    messages: list[RecordedMessage] | None
    usage: Usage | None
    time_to_first_token_seconds: float | None
    duration_seconds: float | None
    judgements: list[Judgement]


class Entries(TypedDict):
    """A page of votes. `total` is null if counting would take too long; `next` is the cursor of the next page."""

    total: int | None
    searched_to: str | None
    feedback: list[Entry]
    next: str | None


class Flag(TypedDict):
    """A feature flag and the reason for its state."""

    enabled: bool
    reason: str


class FeatureDetails(TypedDict):
    """A feature's model, prompt id, parameters and endpoint."""

    model: str
    prompt_id: str
    temperature: float
    max_tokens: int
    title: str
    endpoint: str
    ab_testing: Flag


class FlagDetails(TypedDict):
    """All feature flags with their reasons, and the details of all features."""

    config_revision: str
    git_revision: str | None
    flags: dict[str, Flag]
    features: dict[str, FeatureDetails]


class Ready(TypedDict):
    """Whether the server is ready for requests, and why."""

    status: Literal["ok", "unavailable"]
    state: str
    store: str


class SignedIn(TypedDict):
    """Who signed in."""

    user: str
    role: Role


class CurrentIdentity(TypedDict):
    """The user who sends the request; null if not signed in."""

    mode: Literal["open", "token", "proxy"]
    user: str | None
    role: Role | None


class OwnVote(TypedDict):
    """The vote on a response of whoever asked for it."""

    feedback_id: str
    timestamp: str
    rating: int | str
    reasons: list[str]
    comment: str | None
    suggestion: str | None


class ComparedSide(TypedDict):
    """The side of a comparison that a response is. `preference` and `variant` are null until the vote on the pair."""

    comparison_id: str
    side: Side | None
    preference: Preference | None
    variant: Variant | None


class Producer(TypedDict):
    """What produced a response. `prompt` is its text, for reviewers and whoever was told it by a vote."""

    model: str
    prompt_id: str
    prompt: str | None
    parameters: Parameters
    config_revision: str
    usage: Usage
    time_to_first_token_seconds: float | None
    duration_seconds: float


class RecordedGeneration(TypedDict):
    """A response, for whoever asked for it.

    `formatted` is its Markdown as a list of texts and elements, which have `tag`, `children` and maybe `href`, `start`
    or `align`; null where it is paragraphs alone, or too long. `produced` is null until the vote on a comparison.
    """

    id: str
    request_id: str
    timestamp: str
    feature: str
    status: Literal["completed", "cancelled", "failed"]
    text: str
    messages: list[RecordedMessage] | None
    response: str
    formatted: list[Any] | None
    vote: OwnVote | None
    comparison: ComparedSide | None
    produced: Producer | None
