"""Defines the interface to model servers: the request, the streamed reply and the `Inference` protocol."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

# The texts of the tokens that arrived in one network read, in order, none of them empty.
type Deltas = list[str]


# The name of the setting that holds the model server's URL, as error messages show it.
URL_SETTING = "`LLAMA_STACK_URL`"


@dataclass(frozen=True, slots=True)
class Message:
    """Holds one turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


class ValueKeys(NamedTuple):
    """Names the keys of the values that a request's model and length stand under; "" where they come from elsewhere."""

    model: str
    max_tokens: str


NO_KEYS = ValueKeys("", "")


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """Holds the parameters of one model call."""

    model: str
    messages: tuple[Message, ...]
    temperature: float
    max_tokens: int
    trace_headers: tuple[tuple[str, str], ...] = ()  # `traceparent` for the model server
    hide_thoughts: bool = True  # leave the model's reasoning out of the reply
    keys: ValueKeys = NO_KEYS


@dataclass(frozen=True, slots=True)
class Completed:
    """Ends a complete reply. Token counts are the server's own, None if it sends none."""

    finish_reason: str  # `stop`, or `length` where `max_tokens` ended it
    model: str  # the model that answered, as the server names it
    input_tokens: int | None
    output_tokens: int | None
    adapted: Mapping[str, Any] = field(default_factory=dict)  # parameters changed or added to suit the server
    thoughts: int = 0  # characters at the head of the reply that turned out to be reasoning

    def answer(self, texts: Deltas) -> str:
        """Return the answer, given all texts of the reply."""
        return "".join(texts)[self.thoughts :]


@dataclass(frozen=True, slots=True)
class ServerState:
    """Says whether a model server can be used now, in a sentence, and which models it lists (None: it has no list).

    `reason` holds the words of the server, or of the machine that didn't reach it.
    """

    usable: bool
    sentence: str
    models: tuple[str, ...] | None = None
    reason: str | None = None


class Inference(Protocol):
    """Answers as a model server does.

    `stream` yields at least one `Deltas` and then one `Completed`. Anything else (nothing, half a reply, an error
    event, silence) raises a `ModelError` or a `PromptTooLong`. Closing the generator (`aclose`) or cancelling its task
    ends the generation at the model.
    """

    @property
    def description(self) -> str:
        """Return which server this is and where, for the start-up message."""
        ...

    def model_name(self, configured: str) -> str:
        """Return the name of the model that answers for `configured` (the embedded server has only its own)."""
        ...

    async def start(self) -> None:
        """Prepare for the first call, without waiting for a remote server."""
        ...

    def warm_up(self) -> None:
        """Begin to load, in the background, what the first call would otherwise wait for."""
        ...

    async def look(self) -> ServerState:
        """Ask the server for its models to see whether it answers. It takes a few seconds at most and never fails."""
        ...

    def stream(self, request: ChatRequest) -> AsyncGenerator[Deltas | Completed]:
        """Stream the reply to a request."""
        ...

    async def close(self) -> None:
        """Close connections and stop what `start` started."""
        ...
