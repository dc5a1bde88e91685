"""Defines the records of what is still to be told to MLflow about feedback.

A delivery is about a subject: one piece of feedback, by its id, or one side of a comparison, by its generation's id. It
says that the subject has changed, not how. Whoever delivers reads what is in force at that moment, so that many changes
are one delivery and the newest always wins. Times are microseconds since the epoch.
"""

from typing import Literal, NamedTuple

from canopy.base.ratings import KindName
from canopy.store.vocabulary import Source

# `later`: this delivery failed. `released`: MLflow was not there, which says nothing about the delivery.
type DeliveryOutcome = Literal["delivered", "removed", "later", "released", "parked"]
type BallotVerdict = Literal["preferred", "rejected", "tie", "both_bad"]


class FeedbackSnapshot(NamedTuple):
    """Holds feedback as it is in force. On one side of a comparison its kind is None and its value a BallotVerdict."""

    name: str
    kind: KindName | None
    value: str
    source: Source
    source_id: str | None
    comment: str | None
    reasons: tuple[str, ...]
    timestamp: int
    span_id: str | None  # of the model call that it judges
    generation_id: str
    prompt_id: str
    config_revision: str


class Delivery(NamedTuple):
    """Names a subject that this process delivers until its lease ends. `snapshot` is None where no feedback is left."""

    subject: str
    trace_id: str
    claim: str  # of this lease
    revision: int  # how often the subject had changed
    waiting_since: int
    failures: int  # of this delivery so far
    sent: bool  # whether an attempt was made before; it may have arrived without its answer
    snapshot: FeedbackSnapshot | None


class DeliveryResult(NamedTuple):
    """Says how a delivery ended. It counts while the lease does, and a subject that changed meanwhile is due again."""

    subject: str
    claim: str
    revision: int
    outcome: DeliveryOutcome
    due_at: int | None = None  # with `later` and `released`
    problem: str | None = None  # a sentence, for people


class Backlog(NamedTuple):
    """Says how much is still to be told to MLflow, and since when."""

    depth: int  # parked ones left out
    oldest: int | None  # when the one that waits longest began to wait
    parked: int
    due: bool  # whether there is something to claim now


class WaitingDelivery(NamedTuple):
    """Describes one subject that waits or is parked, for people."""

    subject: str
    trace_id: str
    waiting_since: int
    failures: int
    parked: bool
    problem: str | None
