"""Every event that Canopy reports, as a record. `docs/logging.md` describes each.

Names are static. No field holds a user's text, and none but `rating` (a closed list) is the user's choice, so that a
search of the log for `feedback_submitted` finds votes and nothing else.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from canopy.base.ratings import kind_of
from canopy.store.experiments.experiment import BallotReceipt
from canopy.store.feedback.vote import Receipt
from canopy.store.generations.generation import Generation
from canopy.store.reviews.review import ReviewReceipt

type Level = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Event:
    """Something worth a log line."""

    name: ClassVar[str]
    level: ClassVar[Level] = "info"

    def payload(self) -> dict[str, Any]:
        """Return the line's fields, beside those that every line has."""
        names: tuple[str, ...] = type(self).__match_args__  # `dataclasses.fields` looks again at each, every time
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class Started(Event):
    """The process takes requests."""

    name: ClassVar[str] = "canopy_started"
    version: str
    address: str
    operations_address: str | None
    config_revision: str
    flags: dict[str, bool]
    model_server: str
    store: str


@dataclass(frozen=True, slots=True)
class Draining(Event):
    """A signal asked the process to end; open requests go on."""

    name: ClassVar[str] = "canopy_draining"
    open_requests: int


@dataclass(frozen=True, slots=True)
class Stopped(Event):
    """The process has committed and closed everything and ends."""

    name: ClassVar[str] = "canopy_stopped"


@dataclass(frozen=True, slots=True)
class ConfigReloaded(Event):
    """New values are in force."""

    name: ClassVar[str] = "config_reloaded"
    config_revision: str
    flags: dict[str, bool]


@dataclass(frozen=True, slots=True)
class ConfigRejected(Event):
    """The values file is wrong; the last good values stay in force."""

    name: ClassVar[str] = "config_rejected"
    level: ClassVar[Level] = "error"
    error: str
    config_revision: str


@dataclass(frozen=True, slots=True)
class DeprecatedName(Event):
    """A setting or a key of the values is given under a name that it no longer has. Told once for each name."""

    name: ClassVar[str] = "deprecated_name"
    level: ClassVar[Level] = "warning"
    former: str
    current: str


@dataclass(frozen=True, slots=True)
class HttpRequest(Event):
    """A request was answered. `http_route` is the route's pattern and never what the client wrote."""

    name: ClassVar[str] = "http_request"
    http_request_method: str
    http_route: str
    http_response_status_code: int
    duration_seconds: float
    trace_id: str


@dataclass(frozen=True, slots=True)
class RequestFailed(Event):
    """A request was not served, and not by the client's fault. `error` is the sentence that the client got."""

    name: ClassVar[str] = "request_failed"
    level: ClassVar[Level] = "error"
    http_route: str
    code: str
    error: str
    trace_id: str
    exception: str | None
    reason: str | None = None  # what another server said


@dataclass(frozen=True, slots=True)
class GenerationFinished(Event):
    """A model call ended, in whichever way, and is recorded."""

    name: ClassVar[str] = "generation_finished"
    generation: Generation
    reason: str | None = None  # what the model server said of a failure

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
            "config_revision": it.config_revision,
            "generation_trace_id": it.trace_id,
            "trace_id": self.trace_id,
        }


@dataclass(frozen=True, slots=True)
class ReviewSaved(Event):
    """A reviewer wrote what a good answer would be, changed it or took it back, and that is committed."""

    name: ClassVar[str] = "review_saved"
    receipt: ReviewReceipt
    trace_id: str

    def payload(self) -> dict[str, Any]:
        """Return the review without its texts."""
        return {**self.receipt._asdict(), "trace_id": self.trace_id}


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
    """A judge gave no label: its model did not answer, or not with one of the labels."""

    name: ClassVar[str] = "judgement_failed"
    level: ClassVar[Level] = "warning"
    judge: str
    judge_version: str
    judge_model: str
    generation_id: str
    code: str
    error: str
    reason: str | None  # what the model server said
    trace_id: str


@dataclass(frozen=True, slots=True)
class JudgeRunFinished(Event):
    """`canopy judge run` ended; `error` says why early, if it did."""

    name: ClassVar[str] = "judge_run_finished"
    labels: dict[str, dict[str, int]]
    failures: dict[str, dict[str, int]]
    questions: int
    budget_left: int
    taken: int
    error: str | None


@dataclass(frozen=True, slots=True)
class RecordsDeleted(Event):
    """Retention deleted old records. Generations of evaluations are counted apart."""

    name: ClassVar[str] = "records_deleted"
    generations: int
    feedback: int
    comparisons: int
    evaluations: int


@dataclass(frozen=True, slots=True)
class RetentionPostponed(Event):
    """Retention deletes nothing for an hour, because the clock is `ahead_days` ahead of the time that was expected."""

    level: ClassVar[Level] = "warning"
    name: ClassVar[str] = "retention_postponed"
    ahead_days: float


@dataclass(frozen=True, slots=True)
class SearchIndexFilling(Event):
    """The search index is being filled: of the `votes` that it lacked at the beginning, it still lacks `left`."""

    name: ClassVar[str] = "search_index_filling"
    votes: int
    left: int


@dataclass(frozen=True, slots=True)
class SearchIndexFilled(Event):
    """The search index has every vote."""

    name: ClassVar[str] = "search_index_filled"
    votes: int
    duration_seconds: float


@dataclass(frozen=True, slots=True)
class StoreFailed(Event):
    """The store could not do what was asked."""

    name: ClassVar[str] = "store_failed"
    level: ClassVar[Level] = "error"
    error: str
    trace_id: str | None


def _vote(receipt: Receipt) -> dict[str, Any]:
    return {
        "rating": kind_of(receipt.kind).wire(receipt.value),
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
