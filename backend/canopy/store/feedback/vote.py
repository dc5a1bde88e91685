"""Defines a vote on its way into the store, and what is known of it once it is committed, or deleted.

Times are integers: microseconds since the epoch, UTC. What is made for each vote is a named tuple: a frozen dataclass
takes five times as long.
"""

from sys import getsizeof
from typing import Literal, NamedTuple

from canopy.base.errors import CanopyError
from canopy.base.ratings import KindName, Rating, Sentiment
from canopy.config.values import SATISFACTION
from canopy.store.keys import Proof
from canopy.store.vocabulary import Source


class Vote(NamedTuple):
    """Holds a person's, a judge's or a program's verdict, before the store has found what it is about.

    Either `generation_id`, or `request_id`, or both texts are set. With a `voter`, another vote under the same name on
    the same subject (the generation, or the pair of texts that no generation has) replaces this one. Without one it
    is anonymous: all anonymous votes on a generation are one voter's, and on other texts they replace nothing.
    """

    name: str  # what is assessed, mostly `user_satisfaction`
    kind: KindName
    value: str
    sentiment: Sentiment
    feature: str | None  # None: the generation's
    generation_id: str | None
    request_id: str | None
    input_text: str | None
    response_text: str | None
    voter: str | None
    user_id: str | None
    session_id: str | None
    comment: str | None
    reasons: tuple[str, ...]
    config_revision: str  # in force when the vote came; a generation's own wins
    alternative_features: frozenset[str] | None = frozenset()  # that `feature` may mean as well; None: any
    source: Source = "HUMAN"
    source_id: str | None = None
    user_proof: Proof | None = None  # None: the user is only claimed
    voters_per_response: int | None = None  # how many voters may have votes on the generation; None: any number
    error_if_unknown: CanopyError | None = None  # what is raised where the texts are no one generation's
    error_if_never_made: CanopyError | None = None  # and where not one generation of the feature has them
    idempotency_key: str | None = None
    body_digest: bytes = b""  # of the request, to tell a retry from a reused key
    suggestion: str | None = None  # what the voter says a good answer would have been

    @property
    def memory(self) -> int:
        """Return the bytes that its texts take, known without a look at them: one to four for each character."""
        texts = (self.input_text, self.response_text, self.comment, self.suggestion)
        return sum(map(getsizeof, texts))


class Receipt(NamedTuple):
    """Describes the committed vote, without its texts: what the log line and the counters need."""

    feedback_id: str
    # `repeated`: the key was seen before, nothing was written
    outcome: Literal["created", "replaced", "repeated", "deleted"]
    timestamp: int
    feature: str
    kind: KindName
    value: str
    sentiment: int
    input_length: int  # characters
    response_length: int  # characters
    generation_id: str | None
    trace_id: str | None
    prompt_id: str | None
    model: str | None
    config_revision: str
    span_id: str | None = None  # of the model call that the vote judges
    name: str = SATISFACTION
    former: Rating | None = None  # that of the vote that this one replaced
