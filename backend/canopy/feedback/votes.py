"""Validates, commits, logs and counts votes."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from canopy.auth.budgets import StorageBudgets
from canopy.auth.requesters import Requester
from canopy.base.errors import FeedbackNotFound, InputError, RateLimited
from canopy.base.ratings import Rating, parse_rating
from canopy.config.features import BUILT_IN, modes_of
from canopy.config.loading import Config
from canopy.config.source import ConfigSource
from canopy.config.values import FeedbackValues
from canopy.feedback.recorder import EvaluationResult, Recorder
from canopy.store.feedback.feedback import FeedbackStore
from canopy.store.feedback.vote import Receipt, Vote
from canopy.store.keys import ANONYMOUS, Proof, voter_of
from canopy.store.vocabulary import AB_PREFERENCE
from canopy.telemetry import Telemetry
from canopy.telemetry.events import FeedbackDeleted, FeedbackSubmitted


class SubmittedVote(NamedTuple):
    """A vote as a client sends it, with types and lengths checked but not its meaning.

    It names the response by `generation_id`, by `request_id`, or by both texts.
    """

    rating: int | str
    name: str
    request_id: str | None
    generation_id: str | None
    input_text: str | None
    response_text: str | None
    feature: str | None
    comment: str | None
    reasons: tuple[str, ...]
    user_id: str | None
    user_proof: Proof | None
    session_id: str | None
    idempotency_key: str | None
    body_digest: bytes
    suggestion: str | None = None  # of a good answer, in the voter's words


class VoteRecorder(Recorder):
    """Records votes and retracts them."""

    def __init__(
        self, config: ConfigSource, feedback: FeedbackStore, telemetry: Telemetry, budgets: StorageBudgets
    ) -> None:
        super().__init__(config, telemetry)
        self._feedback = feedback
        self._budgets = budgets

    async def submit(self, submitted: SubmittedVote, trace_id: str, requester: Requester) -> Receipt:
        """Commit a vote. Raises InputError, GenerationNotFound, RateLimited or StoreError, and then stores nothing."""
        vote = _vote(submitted, self.check(), self._budgets.foreign_vote_refusal(requester))
        receipt = await self._commit(self._feedback.record(vote), FeedbackSubmitted, trace_id, _evaluations)
        if receipt.generation_id is None and receipt.outcome == "created":
            self._budgets.spend_foreign_vote(requester)
        return receipt

    async def take_back(self, feedback_id: str, trace_id: str, *, owner: str | None = None) -> Receipt:
        """Delete a vote, and with an `owner`, a voter's key, only if it is theirs.

        Raises FeedbackNotFound, FeedbackForeign or StoreError.
        """
        self.check()
        receipt = await self._feedback.retract(feedback_id, owner)
        if receipt is None:
            raise FeedbackNotFound("There is no feedback with this id; it may have been taken back already.")
        self._telemetry.emit(FeedbackDeleted(receipt, trace_id))
        return receipt


def _vote(submitted: SubmittedVote, config: Config, error_if_unknown: RateLimited | None) -> Vote:
    values = config.values.feedback
    rating = parse_rating(submitted.rating, values.label_sentiments)
    if submitted.name == AB_PREFERENCE:
        raise InputError("This `name` is the preferences'; they go to POST /feedback/ab.")
    if submitted.name not in values.names:
        raise InputError(f"`name` must be one of {_listed(values.names)}, as `feedback.names` lists them.")
    texts = (submitted.input_text, submitted.response_text)
    by_id = submitted.generation_id is not None or submitted.request_id is not None
    if by_id and texts != (None, None):
        raise InputError("Send either `generation_id` or `request_id`, or both texts; not ids and texts together.")
    if submitted.generation_id is not None and submitted.request_id is not None:
        raise InputError("Send `generation_id` or `request_id`, not both.")
    if not by_id and None in texts:
        raise InputError(
            "Say what is rated: `generation_id` or `request_id` of the response, or `input_text` and `response_text`."
        )
    # A recorded response may be of a feature that the values don't have any more.
    known = by_id or submitted.feature is None or submitted.feature in config.features
    check_reasons(submitted.reasons, values)
    return Vote(
        name=submitted.name,
        kind=rating.kind,
        value=rating.value,
        sentiment=rating.sentiment,
        feature=submitted.feature or (None if by_id else BUILT_IN),
        alternative_features=modes_of(submitted.feature) if submitted.feature is not None else None,
        generation_id=submitted.generation_id,
        request_id=submitted.request_id,
        input_text=submitted.input_text,
        response_text=submitted.response_text,
        voter=_voter(submitted),
        user_id=submitted.user_id,
        session_id=submitted.session_id,
        comment=submitted.comment or None,
        reasons=tuple(dict.fromkeys(submitted.reasons)),
        config_revision=config.revision,
        source_id=submitted.user_id,
        user_proof=submitted.user_proof,
        voters_per_response=None if submitted.user_proof else values.voters_per_response,
        error_if_unknown=error_if_unknown,
        error_if_never_made=None if known else InputError(f"`feature` must be one of {_listed(config.features)}."),
        idempotency_key=submitted.idempotency_key,
        body_digest=submitted.body_digest,
        suggestion=submitted.suggestion,
    )


def _evaluations(receipt: Receipt) -> list[EvaluationResult]:
    result: dict[str, str | int] = {
        "gen_ai.evaluation.name": receipt.name,
        "gen_ai.evaluation.score.label": receipt.value,
        "gen_ai.evaluation.score.value": Rating.of(receipt).score,
        "canopy.feedback_id": receipt.feedback_id,
    }
    if receipt.generation_id is not None:
        result["canopy.generation_id"] = receipt.generation_id
    return [((receipt.trace_id, receipt.span_id), result)]


def check_reasons(reasons: Sequence[str], values: FeedbackValues) -> None:
    """Raise InputError when a reason isn't among the configured ones."""
    if any(reason not in values.reasons for reason in reasons):
        known = _listed(values.reasons) or "empty, as none are configured"
        raise InputError(f"`reasons` may hold {known}.")


def _voter(submitted: SubmittedVote) -> str | None:
    """Return the voter's key; None where neither a user nor a session is given."""
    voter = voter_of(submitted.user_id, submitted.user_proof, submitted.session_id)
    return voter if voter != ANONYMOUS else None


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
