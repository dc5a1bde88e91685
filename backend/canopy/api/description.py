"""Parts of the API's OpenAPI description that routes declare: their bodies, responses, streams and errors."""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, TypeAdapter

from canopy.api.responses import Failure
from canopy.text.json_schema import inlined

# FastAPI's parameter `responses`, where a stream has the types of its events under `events`: see `DescribedRoute`.
type Responses = dict[int | str, dict[str, Any]]

_TEXT = {"schema": {"type": "string"}}


def describe_json(answer: Any, description: str = "The answer.") -> Responses:
    """Return the `responses` of a route that document its JSON answer."""
    return {200: {"model": answer, "description": description}}


def describe_json_or_page(answer: Any) -> Responses:
    """Return the `responses` that document an answer in JSON, or a page for browsers."""
    return describe_json_or_text(answer, "text/html")


def describe_json_or_text(answer: Any, media_type: str) -> Responses:
    """Return the `responses` that document an answer in JSON, or a text of this media type."""
    described = describe_json(answer)
    described[200]["content"] = {media_type: _TEXT}
    return described


def describe_text(media_type: str) -> Responses:
    """Return the `responses` that document a text of this media type."""
    return {200: {"description": "The text.", "content": {media_type: _TEXT}}}


def describe_stream(answer: Any, *events: Any) -> Responses:
    """Return the `responses` that document a stream of these events, or one JSON object for clients that ask for it."""
    described = describe_json(answer, "Events, the last of them `[DONE]`; or one JSON object.")
    described[200]["events"] = events
    return described


def with_event(described: Responses, event: Any) -> Responses:
    """Return the `responses` of a stream with one more event described."""
    return described | {200: described[200] | {"events": (*described[200]["events"], event)}}


def with_schemas(described: Responses) -> Responses:
    """Return the `responses` with the schema of each stream in place of the types of its events."""
    answer = dict(described[200])
    events = answer.pop("events", None)
    return described if events is None else described | {200: answer | {"content": _stream(events)}}


def describe_errors(*statuses: int) -> Responses:
    """Return the `responses` that document errors of these statuses, and any other.

    They refer to `error_schemas`, since FastAPI would build a validator for each error of each route at every start.
    """
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{Failure.__name__}"}}}
    other: Responses = {"default": {"content": content, "description": "Any other error."}}
    return {status: {"content": content} for status in statuses} | other


def error_schemas() -> dict[str, Any]:
    """Return the JSON schemas that `describe_errors` refers to, by name, for the API's description."""
    schema = TypeAdapter(Failure).json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs"), Failure.__name__: schema}


def describe_body(model: type[BaseModel]) -> dict[str, Any]:
    """Return the `openapi_extra` that documents a JSON body. It refers to `canopy.api.bodies.body_schemas`."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _stream(events: Iterable[Any]) -> dict[str, Any]:
    schemas = [inlined(TypeAdapter(it).json_schema(mode="serialization")) for it in events]
    data = {"type": "string", "contentMediaType": "application/json", "contentSchema": {"anyOf": schemas}}
    item = {"type": "object", "required": ["data"], "properties": {"data": data}}
    return {"text/event-stream": _TEXT | {"itemSchema": item}}
