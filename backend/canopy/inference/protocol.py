"""What Canopy asks of a model server and what it gets back."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

# The texts of the tokens that arrived in one read, in order, none of them empty.
type Deltas = list[str]


# The setting that a model server's address comes from, as sentences name it.
ADDRESS = "`LLAMA_STACK_URL`"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """Exactly what is asked of the model."""

    model: str
    messages: tuple[Message, ...]
    temperature: float
    max_tokens: int
    trace_headers: tuple[tuple[str, str], ...] = ()  # `traceparent` for the model server
    hide_thoughts: bool = True  # leave a model's thoughts out of the reply


@dataclass(frozen=True, slots=True)
class Completed:
    """The last item of a complete reply. Token counts are the model server's, None where it doesn't say."""

    finish_reason: str  # `stop`, or `length` where `max_tokens` ended it
    model: str  # the model that answered, as the server names it
    input_tokens: int | None
    output_tokens: int | None
    adapted: Mapping[str, Any] = field(default_factory=dict)  # what was asked otherwise or besides, to suit the server
    thoughts: int = 0  # characters at the head of the texts that turned out to be no part of the answer

    def answer(self, texts: Deltas) -> str:
        """What the texts of the whole reply say."""
        return "".join(texts)[self.thoughts :]


class Inference(Protocol):
    """A model server.

    `stream` yields at least one `Deltas` and ends with one `Completed`; whatever else happens (nothing, half a reply,
    an error event, silence) is a `ModelError` or a `PromptTooLong`. Closing the generator (`aclose`) or cancelling its
    task ends the generation at the model.
    """

    @property
    def description(self) -> str:
        """For the start-up message: which server this is and where."""
        ...

    def model_name(self, configured: str) -> str:
        """The model that will answer when the values name `configured` (the embedded server has only its own)."""
        ...

    async def start(self) -> None:
        """Get ready for the first call, without waiting for a remote server to be there."""
        ...

    def stream(self, request: ChatRequest) -> AsyncGenerator[Deltas | Completed]:
        """Ask, and hand on the reply as it arrives."""
        ...

    async def close(self) -> None:
        """Close connections and end what `start` started."""
        ...
