"""What is known of a vote once it is committed, or deleted."""

from typing import Literal, NamedTuple

from canopy.flags.values import SATISFACTION

# A judge's label has a kind of its own, so that no series has people's votes and judges' labels in it.
type Kind = Literal["thumbs", "score", "label", "judgement"]


class Receipt(NamedTuple):
    """The committed vote, without its texts: what the log line and the counters need."""

    feedback_id: str
    # `repeated`: the key was seen before, nothing was written
    outcome: Literal["created", "replaced", "repeated", "deleted"]
    timestamp: int
    feature: str
    kind: Kind
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
    former: str | None = None  # the value of the vote that this one replaced
