"""Request bodies: their models, and reading and validating them. Errors never quote what the client sent."""

import asyncio
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import models_json_schema
from pydantic_core import PydanticCustomError, PydanticKnownError
from starlette.requests import Request

from canopy.api import workshop
from canopy.api.field_aliases import normalize_fields
from canopy.base.errors import BodyTimeout, BodyTooLarge, ClientGone, InputError
from canopy.base.ratings import RATING_FORMS, RATING_REFUSED
from canopy.base.settings import Settings
from canopy.base.validators import without_nul
from canopy.config.values import SATISFACTION, VoteName
from canopy.store.reviews.review import Action

_MOST_FINDINGS = 50  # reported of a body: each costs more than the client's bytes that caused it
_LONGEST_PART = 100  # characters of a field name that the client made up

MOST_SUGGESTED = 20_000  # characters of a suggested answer


class BodyError(InputError):
    """A body that does not validate.

    `errors` is a list like FastAPI's: `loc`, `msg` and `type` of each finding, without the input.
    """

    def __init__(self, sentence: str, errors: list[dict[str, Any]]) -> None:
        super().__init__(sentence)
        self.errors = errors


def not_empty(text: str) -> str:
    """Return the text. Raises PydanticKnownError if it has no characters.

    `min_length` of pydantic's would say the same, and leave the text in memory a second time, as UTF-8.
    """
    if not text:
        raise PydanticKnownError("string_too_short", {"min_length": 1})
    return text


def not_blank(text: str) -> str:
    """Return the text. Raises PydanticCustomError if it holds only white space."""
    if not text.strip():
        raise PydanticCustomError("blank", "should hold more than white space")
    return text


Text = Annotated[str, AfterValidator(without_nul)]
FullText = Annotated[
    str, AfterValidator(not_empty), WithJsonSchema({"type": "string", "minLength": 1}), AfterValidator(without_nul)
]
Question = Annotated[FullText, AfterValidator(not_blank)]
Id = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(without_nul)]


class Body(BaseModel):
    """Base of all bodies: exact types and no unknown fields, so that a misspelled one isn't lost in silence."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class PromptBody(Body):
    """A text to answer, such as one to summarize."""

    prompt: Question = Field(description="The text.")
    stream: bool | None = Field(None, description="False: one JSON object, not events; without it `Accept` decides.")
    session_id: Id | None = Field(None, description="Groups requests of one person; also the header X-Session-Id.")
    user_id: Id | None = Field(None, description="Who asks.")


class ChatMessage(Body):
    """One message of a conversation."""

    role: Literal["user", "assistant"]
    content: Question


class ChatBody(Body):
    """A conversation about an answer, which ends with the user's question."""

    messages: list[ChatMessage] = Field(
        min_length=1, max_length=200, description="The conversation so far, oldest first."
    )
    stream: bool | None = Field(None, description="False: one JSON object, not events; without it `Accept` decides.")
    session_id: Id | None = Field(None, description="Groups requests of one person; also the header X-Session-Id.")
    user_id: Id | None = Field(None, description="Who asks.")


class VoteBody(Body):
    """A vote on a response, named by id or by its two texts."""

    rating: int | str = Field(description=RATING_FORMS)
    request_id: Id | None = Field(
        None, description="`X-Request-Id` of the response; also `requestId`, and `trace_id` with or without `tr-`."
    )
    generation_id: Id | None = Field(None, description="`generation_id` of the response.")
    input_text: FullText | None = Field(None, description="The text that was answered, where no id is known.")
    response_text: FullText | None = Field(None, description="The answer, where no id is known.")
    comment: Text | None = Field(None, description="Why, in one's own words; also accepted as `reason`.")
    suggestion: Text | None = Field(
        None, description=f"What the answer should have said, up to {MOST_SUGGESTED:,} characters: for reviewers."
    )
    reasons: list[Id] = Field(default_factory=list, max_length=20, description="Configured categories.")
    feature: Id | None = Field(None, description="What was rated.")
    user_id: Id | None = Field(None, description="Who votes.")
    session_id: Id | None = Field(
        None, description="The voter's session; also `client_id`, `clientId` or the header X-Session-Id."
    )
    name: VoteName = Field(SATISFACTION, description="What is assessed: one of the configured names.")

    @model_validator(mode="before")
    @classmethod
    def _as_meant(cls, data: Any) -> Any:
        return workshop.vote(normalize_fields(data, cls.model_fields.keys()))


class BallotBody(Body):
    """A preference between the two responses of a comparison."""

    preference: Literal["a", "b", "tie", "both_bad"] = Field(description="The better side, neither, or both bad.")
    comparison_id: Id | None = Field(None, description="From the comparison's first event.")
    prompt_mapping: dict[Literal["a", "b"], Id] | None = Field(
        None, description="The `mapping` of the first event, which names the comparison as well."
    )
    comment: Text | None = Field(None, description="Why, in one's own words; also accepted as `reason`.")
    reasons: list[Id] = Field(default_factory=list, max_length=20, description="Configured categories.")
    user_id: Id | None = Field(None, description="Who votes.")
    session_id: Id | None = Field(None, description="The voter's session; also the header X-Session-Id.")
    feature: Id | None = Field(None, description="Ignored: the comparison knows.")
    input_text: Text | None = Field(None, description="Ignored: the comparison knows.")
    response_a: Text | None = Field(None, description="Ignored: the comparison knows.")
    response_b: Text | None = Field(None, description="Ignored: the comparison knows.")

    @model_validator(mode="before")
    @classmethod
    def _as_meant(cls, data: Any) -> Any:
        return workshop.ballot(normalize_fields(data, cls.model_fields.keys()))


class ReviewActionBody(Body):
    """What a reviewer says about a text. The text is given, or named by its item or by a vote on an answer to it."""

    action: Action | None = Field(
        None,
        description="`fine` (the answer is), `dismiss`, `reopen`, `undo`, or `judge_wrong`: about the label that "
        "`feedback_id` names, or else each bad label. Without it, `expected_result` is what to write.",
    )
    expected_result: Text | None = Field(None, description="What is expected; empty takes back what was written.")
    item: Id | None = Field(None, description="The text, as `GET /feedback/review` names it.")
    feedback_id: Id | None = Field(None, description="A vote on the text.")
    prompt: FullText | None = Field(None, description="The text itself, where no vote is known.")
    feature: Id | None = Field(
        None, description="What was rated. Without it that of the vote; with a `prompt`, summaries."
    )
    revision: int | None = Field(
        None,
        ge=0,
        lt=2**63,
        description="The item's `revision` as you read it: if somebody changed it since, the answer is 409.",
    )


class ReviewBody(ReviewActionBody):
    """What a reviewer says about one text, or in `items` about many."""

    items: list[ReviewActionBody] | None = Field(
        None, min_length=1, max_length=100, description="Several at once, each answered by itself; nothing beside it."
    )


class NoteBody(Body):
    """A note about an experiment."""

    text: Annotated[Text, AfterValidator(not_blank)] = Field(max_length=4_000, description="What to note.")


def body_schemas() -> dict[str, Any]:
    """Return the JSON schemas of all bodies, and of the models in their fields, by name, for the API's description."""
    models: list[type[BaseModel]] = [Body, *Body.__subclasses__(), ReviewBody]
    _, found = models_json_schema([(it, "validation") for it in models], ref_template="#/components/schemas/{model}")
    schemas: dict[str, Any] = found["$defs"]
    return schemas


async def read_body(request: Request, settings: Settings) -> bytes:
    """Return the bytes of the body.

    Raises InputError unless the content type is JSON, BodyTooLarge, BodyTimeout, and ClientGone for a client that
    disconnects. Only JSON is accepted, so that no form on another site can post a vote.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise InputError("Send JSON with the header `Content-Type: application/json`.")
    limit = settings.max_body_bytes
    chunks: list[bytes] = []
    size = 0
    more = True
    try:
        async with asyncio.timeout(settings.body_timeout_seconds):
            while more:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone("The connection was closed before the request was whole.")
                chunks.append(message.get("body", b""))
                size += len(chunks[-1])
                if size > limit:
                    raise BodyTooLarge(f"The request is larger than the limit of {limit:,} bytes.")
                more = message.get("more_body", False)
    except TimeoutError as error:
        raise BodyTimeout(
            f"The request's body did not arrive within {settings.body_timeout_seconds:g} seconds."
        ) from error
    return b"".join(chunks)


def parse[B: Body](model: type[B], body: bytes) -> B:
    """Return the body as an instance of the model. Raises BodyError."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        if (count := error.error_count()) > _MOST_FINDINGS:
            raise BodyError(f"The body has {count:,} mistakes. Is it meant for this address?", []) from None
        raise body_error(error.errors(include_url=False, include_context=False, include_input=False)) from None


def body_error(findings: Any) -> BodyError:
    """Return the error for pydantic's findings."""
    errors = [
        {"loc": list(map(_short, item["loc"])), "msg": item["msg"], "type": item["type"]}
        for item in findings[:_MOST_FINDINGS]
    ]
    return BodyError(" ".join(dict.fromkeys(_sentence(item) for item in errors)), errors)


def check_length(name: str, text: str | None, limit: int) -> None:
    """Raise InputError in the name of the field if the text has more than `limit` characters."""
    if text is not None and len(text) > limit:
        raise InputError(f"`{name}` has {len(text):,} characters; the limit is {limit:,}.")


def _short(part: int | str) -> int | str:
    return part[:_LONGEST_PART] + "…" if isinstance(part, str) and len(part) > _LONGEST_PART else part


def _sentence(item: dict[str, Any]) -> str:
    if item["type"] == "json_invalid":
        return "The body is not valid JSON."
    path = ".".join(str(part) for part in item["loc"] if part not in ("int", "str"))
    if item["type"] == "extra_forbidden":
        return f"`{path}` is not a field of this request; check its spelling."
    if item["type"] == "missing":
        return f"`{path}` is missing."
    if not path:
        message = item["msg"].removeprefix("Input ")
        return "The body must be a JSON object." if "object" in message else f"{message[0].upper()}{message[1:]}."
    if path == "rating":
        return RATING_REFUSED
    message = item["msg"].removeprefix("Input ").removeprefix("String ")
    return f"`{path}` {message[0].lower()}{message[1:]}."
