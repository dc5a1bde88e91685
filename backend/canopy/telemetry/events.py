"""The base class of all events, and those about the process, the config, generations, feedback and judges.

`docs/logging.md` describes each event. Names are static. No field holds a user's text, and only `rating` and its
`sentiment`, which have closed lists of values, are the user's choice: a search of the log for `feedback_submitted`
finds nothing but votes.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from canopy.base.ratings import SENTIMENT_NAMES, kind_of
from canopy.store.experiments.experiment import BallotReceipt
from canopy.store.feedback.vote import Receipt
from canopy.store.generations.generation import Generation
from canopy.store.reviews.review import ReviewReceipt

type Level = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that is logged and may be counted. `name` and `level` belong to the class, and fields to the event."""

    name: ClassVar[str]
    level: ClassVar[Level] = "info"

    def payload(self) -> dict[str, Any]:
        """Return the log line's fields, without those that every line has."""
        names: tuple[str, ...] = type(self).__match_args__  # `dataclasses.fields` is slower
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class Started(Event):
    """The process accepts requests."""

    name: ClassVar[str] = "canopy_started"
    version: str
    address: str
    operations_address: str | None
    config_revision: str
    flags: dict[str, bool]
    model_server: str
    store: str
    git_revision: str | None = None  # the commit that the values are of


@dataclass(frozen=True, slots=True)
class Draining(Event):
    """A signal asked the process to end; open requests continue."""

    name: ClassVar[str] = "canopy_draining"
    open_requests: int


@dataclass(frozen=True, slots=True)
class Stopped(Event):
    """The process has committed and closed everything, and exits."""

    name: ClassVar[str] = "canopy_stopped"


@dataclass(frozen=True, slots=True)
class ConfigReloaded(Event):
    """New values are in force."""

    name: ClassVar[str] = "config_reloaded"
    config_revision: str
    flags: dict[str, bool]
    git_revision: str | None = None


@dataclass(frozen=True, slots=True)
class ConfigRejected(Event):
    """The values file is wrong; the last valid values stay in force."""

    name: ClassVar[str] = "config_rejected"
    level: ClassVar[Level] = "error"
    error: str
    config_revision: str


@dataclass(frozen=True, slots=True)
class DeprecatedName(Event):
    """A setting or a key of the values has its former name. Emitted once for each name."""

    name: ClassVar[str] = "deprecated_name"
    level: ClassVar[Level] = "warning"
    former: str
    current: str


@dataclass(frozen=True, slots=True)
class GenerationFinished(Event):
    """A generation completed, failed or was cancelled, and is recorded."""

    name: ClassVar[str] = "generation_finished"
    generation: Generation
    reason: str | None = None  # the model server's message about a failure
    sentence: str | None = None  # what is wrong, in people's words; it isn't logged

    def payload(self) -> dict[str, Any]:
        """Return the record without its texts."""
        it = self.generation
        return {
            "generation_id": it.id,
            "feature": it.feature,
            "status": it.status,
            "code": it.error_code,
            "reason": self.reason,
            "finish_reason": it.finish_reason,
            "trace_id": it.trace_id,
            "prompt_id": it.prompt_id,
            "model": it.model,
            "config_revision": it.config_revision,
            "input_length": len(it.input_text),
            "response_length": len(it.response_text),
            "input_tokens": it.input_tokens,
            "output_tokens": it.output_tokens,
            "time_to_first_token_seconds": it.time_to_first_token,
            "duration_seconds": it.duration,
            "evaluation": it.evaluation,
        }


@dataclass(frozen=True, slots=True)
class FeedbackSubmitted(Event):
    """A vote is committed."""

    name: ClassVar[str] = "feedback_submitted"
    receipt: Receipt
    trace_id: str

    def payload(self) -> dict[str, Any]:
        """Return the vote without its texts."""
        return {**_vote(self.receipt), "trace_id": self.trace_id}


@dataclass(frozen=True, slots=True)
class FeedbackDeleted(Event):
    """A vote was taken back."""

    name: ClassVar[str] = "feedback_deleted"
    receipt: Receipt
    trace_id: str

    def payload(self) -> dict[str, Any]:
        """Return the vote without its texts."""
        return {**_vote(self.receipt), "trace_id": self.trace_id}


@dataclass(frozen=True, slots=True)
class AbPreferenceSubmitted(Event):
    """A ballot on a comparison is committed."""

    name: ClassVar[str] = "ab_preference_submitted"
    receipt: BallotReceipt
    trace_id: str

    def payload(self) -> dict[str, Any]:
        """Return the ballot without any text."""
        it = self.receipt
        return {
            "preference": it.preference,
            "feature": it.feature,
            "winning_prompt": it.winner,
            "winning_prompt_id": it.winning_prompt_id,
            "outcome": it.outcome,
            "comparison_id": it.comparison_id,
            "experiment_id": it.experiment_id,
            "prompt_id": it.prompt_id,
            "prompt_b_id": it.prompt_b_id,
            "prompt_b_side": it.prompt_b_side,
            "model": it.model,
            "model_b": it.model_b,
            "config_revision": it.config_revision,
            "generation_trace_id": it.trace_id,
            "trace_id": self.trace_id,
        }


@dataclass(frozen=True, slots=True)
class ReviewSaved(Event):
    """A reviewer said what a good answer would be, or that none is needed, or took that back, and it is committed."""

    name: ClassVar[str] = "review_saved"
    receipt: ReviewReceipt
    trace_id: str

    def payload(self) -> dict[str, Any]:
        """Return the review without its texts, and without what names the text."""
        it = self.receipt
        return {
            "outcome": it.outcome,
            "feature": it.feature,
            "input_length": it.input_length,
            "expected_length": it.expected_length,
            "action": it.action,
            "state": it.state,
            "trace_id": self.trace_id,
        }


@dataclass(frozen=True, slots=True)
class JudgementRecorded(Event):
    """A judge's label is committed."""

    name: ClassVar[str] = "judgement_recorded"
    receipt: Receipt
    judge: str
    judge_version: str
    judge_model: str
    trace_id: str

    def payload(self) -> dict[str, Any]:
        """Return the label without its rationale."""
        it = self.receipt
        return {
            "judge": self.judge,
            "judge_version": self.judge_version,
            "judge_model": self.judge_model,
            "label": it.value,
            "outcome": it.outcome,
            "feedback_id": it.feedback_id,
            "feature": it.feature,
            "generation_id": it.generation_id,
            "generation_trace_id": it.trace_id,
            "prompt_id": it.prompt_id,
            "model": it.model,
            "config_revision": it.config_revision,
            "trace_id": self.trace_id,
        }


@dataclass(frozen=True, slots=True)
class JudgementFailed(Event):
    """A judge gave no label: its model didn't answer, or not with one of the labels."""

    name: ClassVar[str] = "judgement_failed"
    level: ClassVar[Level] = "warning"
    judge: str
    judge_version: str
    judge_model: str
    generation_id: str
    code: str
    error: str
    reason: str | None  # the model server's message
    trace_id: str


@dataclass(frozen=True, slots=True)
class JudgeRunFinished(Event):
    """`canopy judge run` ended; `error` says why, if it ended early.

    `labels` and `failures` are counts by judge and label or error code.
    """

    name: ClassVar[str] = "judge_run_finished"
    labels: dict[str, dict[str, int]]
    failures: dict[str, dict[str, int]]
    questions: int
    budget_left: int
    taken: int
    error: str | None


def _vote(receipt: Receipt) -> dict[str, Any]:
    return {
        "rating": kind_of(receipt.kind).wire(receipt.value),
        "sentiment": SENTIMENT_NAMES[receipt.sentiment],
        "name": receipt.name,
        "feature": receipt.feature,
        "input_length": receipt.input_length,
        "response_length": receipt.response_length,
        "feedback_id": receipt.feedback_id,
        "outcome": receipt.outcome,
        "generation_id": receipt.generation_id,
        "generation_trace_id": receipt.trace_id,
        "prompt_id": receipt.prompt_id,
        "model": receipt.model,
        "config_revision": receipt.config_revision,
    }
