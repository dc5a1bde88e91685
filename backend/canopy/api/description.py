"""Parts of the API's OpenAPI description that routes declare: their bodies, responses, streams and errors."""

from collections.abc import Iterable
from copy import deepcopy
from typing import Any

from pydantic import BaseModel, TypeAdapter

from canopy.api.responses import Failure
from canopy.text.json_schema import inlined

type Responses = dict[int | str, dict[str, Any]]  # FastAPI's parameter `responses`

_TEXT = {"schema": {"type": "string"}}


def describe_json(answer: Any, description: str = "The answer.") -> Responses:
    """Return the `responses` of a route that document its JSON answer."""
    return {200: {"model": answer, "description": description}}


def describe_json_or_page(answer: Any) -> Responses:
    """Return the `responses` that document an answer in JSON, or a page for browsers."""
    described = describe_json(answer)
    described[200]["content"] = {"text/html": _TEXT}
    return described


def describe_text(media_type: str) -> Responses:
    """Return the `responses` that document a text of this media type."""
    return {200: {"description": "The text.", "content": {media_type: _TEXT}}}


def describe_stream(answer: Any, *events: Any) -> Responses:
    """Return the `responses` that document a stream of these events, or one JSON object for clients that ask for it."""
    data = {"type": "string", "contentMediaType": "application/json", "contentSchema": {"anyOf": _schemas(events)}}
    item = {"type": "object", "required": ["data"], "properties": {"data": data}}
    described = describe_json(answer, "Events, the last of them `[DONE]`; or one JSON object.")
    described[200]["content"] = {"text/event-stream": _TEXT | {"itemSchema": item}}
    return described


def with_event(described: Responses, event: Any) -> Responses:
    """Return the `responses` of a stream with one more event described."""
    described = deepcopy(described)
    item = described[200]["content"]["text/event-stream"]["itemSchema"]
    item["properties"]["data"]["contentSchema"]["anyOf"] += _schemas([event])
    return described


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


def _schemas(types: Iterable[Any]) -> list[dict[str, Any]]:
    return [inlined(TypeAdapter(it).json_schema(mode="serialization")) for it in types]
