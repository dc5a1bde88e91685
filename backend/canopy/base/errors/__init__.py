"""Every error that Canopy raises on purpose.

    CanopyError                     500 internal_error
    ├── ConfigError                 500 config_invalid
    ├── PublishError                500 internal_error
    ├── GitHostError                500 internal_error
    ├── InputError                  422 invalid_input
    │   ├── BodyTooLarge            413 body_too_large
    │   ├── BodyTimeout             408 body_timeout
    │   ├── ClientGone              499 client_gone
    │   ├── MalformedRequest        400 malformed_request
    │   ├── HeadTooLarge            431 head_too_large
    │   ├── HeadTimeout             408 head_timeout
    │   ├── IdempotencyConflict     422 idempotency_key_reused
    │   ├── AmbiguousRequestId      422 request_id_ambiguous
    │   ├── StillBlind              422 still_blind
    │   ├── TooManyVoters           422 too_many_voters
    │   └── PromptTooLong           422 prompt_too_long
    ├── NotFound                    404 not_found
    │   ├── FeatureDisabled         404 feature_disabled
    │   ├── GenerationNotFound      404 generation_not_found
    │   ├── FeedbackNotFound        404 feedback_not_found
    │   ├── ComparisonNotFound      404 comparison_not_found
    │   ├── MetricsElsewhere        404 metrics_elsewhere
    │   └── ExperimentNotFound      404 experiment_not_found
    ├── Unauthenticated             401 unauthenticated
    ├── Forbidden                   403 forbidden
    │   ├── CrossOrigin             403 cross_origin
    │   ├── IdentityRefused         403 identity_refused
    │   ├── UserForeign             403 user_foreign
    │   ├── FeedbackForeign         403 feedback_foreign
    │   └── ComparisonForeign       403 comparison_foreign
    ├── RateLimited                 429 rate_limited
    ├── ReviewConflict              409 review_conflict
    ├── ComparisonExpired           410 comparison_expired
    ├── ModelError                  502 model_error
    │   ├── ModelUnreachable        503 model_unreachable
    │   ├── ModelBusy               503 model_busy
    │   ├── ModelNotFound           502 model_not_found
    │   ├── MaxTokensRefused        502 model_error
    │   ├── ModelTimeout            504 model_timeout
    │   ├── ModelReplyEmpty         502 model_reply_empty
    │   ├── ModelContentFiltered    502 model_content_filtered
    │   └── ModelReplyTruncated     502 model_reply_truncated
    ├── Overloaded                  503 overloaded
    ├── ShuttingDown                503 shutting_down
    ├── ScansBusy                   503 scans_busy
    ├── ScanTimeout                 503 scan_timeout
    └── StoreError                  503 store_unavailable

The message is a sentence for the person who made the request: what is wrong and, where there is one, the way out. It
never holds a secret, a stack trace or what the client sent. `reason`, of another server, is for the log and reviewers.
"""

from canopy.base.errors.base import CanopyError
from canopy.base.errors.identities import (
    ComparisonForeign,
    CrossOrigin,
    FeedbackForeign,
    Forbidden,
    IdentityRefused,
    Unauthenticated,
    UserForeign,
)
from canopy.base.errors.models import (
    MaxTokensRefused,
    ModelBusy,
    ModelContentFiltered,
    ModelError,
    ModelNotFound,
    ModelReplyEmpty,
    ModelReplyTruncated,
    ModelTimeout,
    ModelUnreachable,
)

__all__ = [
    "AmbiguousRequestId",
    "BodyTimeout",
    "BodyTooLarge",
    "CanopyError",
    "ClientGone",
    "ComparisonExpired",
    "ComparisonForeign",
    "ComparisonNotFound",
    "ConfigError",
    "CrossOrigin",
    "ExperimentNotFound",
    "FeatureDisabled",
    "FeedbackForeign",
    "FeedbackNotFound",
    "Forbidden",
    "GenerationNotFound",
    "GitHostError",
    "HeadTimeout",
    "HeadTooLarge",
    "IdempotencyConflict",
    "IdentityRefused",
    "InputError",
    "MalformedRequest",
    "MaxTokensRefused",
    "MetricsElsewhere",
    "ModelBusy",
    "ModelContentFiltered",
    "ModelError",
    "ModelNotFound",
    "ModelReplyEmpty",
    "ModelReplyTruncated",
    "ModelTimeout",
    "ModelUnreachable",
    "NotFound",
    "Overloaded",
    "PromptTooLong",
    "PublishError",
    "RateLimited",
    "ReviewConflict",
    "ScanTimeout",
    "ScansBusy",
    "ShuttingDown",
    "StillBlind",
    "StoreError",
    "TooManyVoters",
    "Unauthenticated",
    "UserForeign",
]


class ConfigError(CanopyError):
    """A file or setting that a person wrote can't be used; the sentence names the key."""

    code = "config_invalid"


class PublishError(CanopyError):
    """A report can't be uploaded or published. Only commands raise it."""


class GitHostError(CanopyError):
    """The host of a Git repository can't be found or used, or opens no pull request. Only commands raise it."""


class InputError(CanopyError):
    """The request itself is wrong and will stay wrong when repeated."""

    status = 422
    code = "invalid_input"


class WrongDates(InputError):
    """The days or times of a filter can't be read, or are the wrong way round.

    `on_page` is the sentence for a page, which has other names for them than a program.
    """

    def __init__(self, sentence: str, on_page: str) -> None:
        super().__init__(sentence)
        self.on_page = on_page


class BodyTooLarge(InputError):
    """The request's body is over the limit."""

    status = 413
    code = "body_too_large"


class BodyTimeout(InputError):
    """The request's body did not arrive in time."""

    status = 408
    code = "body_timeout"


class ClientGone(InputError):
    """The client closed the connection before its request was whole or its answer there: 499, as nginx has it."""

    status = 499
    code = "client_gone"


class MalformedRequest(InputError):
    """The bytes are no HTTP/1.1 request, or one whose end is in doubt."""

    status = 400
    code = "malformed_request"


class HeadTooLarge(InputError):
    """The request line and headers, or the framing of a chunked body, are over the limit."""

    status = 431
    code = "head_too_large"


class HeadTimeout(InputError):
    """The request line and headers did not arrive in time."""

    status = 408
    code = "head_timeout"


class IdempotencyConflict(InputError):
    """The same `Idempotency-Key` came with another body."""

    code = "idempotency_key_reused"


class AmbiguousRequestId(InputError):
    """One request id stands for several generations."""

    code = "request_id_ambiguous"


class StillBlind(InputError):
    """A vote on one response of a comparison before its ballot could reveal which prompt made it."""

    code = "still_blind"


class TooManyVoters(InputError):
    """A response has the most votes that it takes from unauthenticated people."""

    code = "too_many_voters"


class PromptTooLong(InputError):
    """The model's context can't hold the prompt."""

    code = "prompt_too_long"


class NotFound(CanopyError):
    """What the request names does not exist."""

    status = 404
    code = "not_found"


class FeatureDisabled(NotFound):
    """The feature's flag is off."""

    code = "feature_disabled"


class GenerationNotFound(NotFound):
    """No generation is recorded under that id."""

    code = "generation_not_found"


class FeedbackNotFound(NotFound):
    """No feedback is stored under that id."""

    code = "feedback_not_found"


class MetricsElsewhere(NotFound):
    """This port serves no metrics."""

    code = "metrics_elsewhere"


class ComparisonNotFound(NotFound):
    """No comparison is recorded under that id."""

    code = "comparison_not_found"


class ExperimentNotFound(NotFound):
    """No experiment is recorded under that id."""

    code = "experiment_not_found"


class VersionNotFound(NotFound):
    """No prompt has that id."""

    code = "version_not_found"


class NoteNotFound(NotFound):
    """No note is kept under that id with this experiment."""

    code = "note_not_found"


class RateLimited(CanopyError):
    """The client has used up its rate for now."""

    status = 429
    code = "rate_limited"


class ReviewConflict(CanopyError):
    """Another reviewer changed the item after this one had read it."""

    status = 409
    code = "review_conflict"


class ComparisonExpired(CanopyError):
    """The time for voting on this comparison is over."""

    status = 410
    code = "comparison_expired"


class Overloaded(CanopyError):
    """Canopy has as many generations or requests in progress as it may."""

    status = 503
    code = "overloaded"


class ShuttingDown(CanopyError):
    """The process ended before the generation did."""

    status = 503
    code = "shutting_down"


class ScansBusy(CanopyError):
    """The limit of concurrent searches is reached."""

    status = 503
    code = "scans_busy"


class ScanTimeout(CanopyError):
    """A search took longer than allowed."""

    status = 503
    code = "scan_timeout"


class StoreError(CanopyError):
    """The store can't commit or read; the reason says why, and what to do."""

    status = 503
    code = "store_unavailable"
    reason_format = "{}"
