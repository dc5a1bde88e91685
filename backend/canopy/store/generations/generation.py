"""Defines the record of one model call. Times are integers: microseconds since the epoch, UTC."""

from dataclasses import dataclass
from sys import getsizeof
from typing import Any, Literal

from canopy.store.keys import Proof

type Status = Literal["completed", "cancelled", "failed"]


@dataclass(frozen=True, slots=True)
class Generation:
    """Describes one model call: what was asked, of which model, with which result."""

    id: str
    trace_id: str  # also the request id
    created_at: int
    feature: str
    status: Status
    error_code: str | None
    session_id: str | None
    user_id: str | None
    prompt_id: str
    prompt_text: str  # stored once per prompt_id
    model: str
    parameters: dict[str, Any]  # temperature, max_tokens
    config_revision: str
    input_text: str  # the text to summarize; in a chat the last question
    messages: list[dict[str, str]] | None  # a chat's whole conversation, else None
    response_text: str
    finish_reason: str | None
    time_to_first_token: float | None  # seconds
    duration: float  # seconds
    input_tokens: int | None
    output_tokens: int | None
    span_id: str | None = None  # 16 hex digits; None where no SDK made a span
    comparison_id: str | None = None  # which it is one side of; until its ballot nobody may vote on it alone
    user_proof: Proof | None = None  # None: the user is only claimed
    evaluation: bool = False  # asked to measure the answer: no judge sees it, and nobody votes on it

    @property
    def memory(self) -> int:
        """Return the bytes that its texts take, known without a look at them: one to four for each character."""
        turns = self.messages if self.messages is not None else [{"content": self.input_text}]
        asked = sum(getsizeof(text) for turn in turns for text in turn.values())
        return asked + getsizeof(self.response_text)
