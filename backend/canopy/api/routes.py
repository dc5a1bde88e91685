"""Kinds of routes, and the documentation and responses that routes share."""

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from copy import deepcopy
from typing import Any

from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

from canopy.api.responses import Failure
from canopy.config.features import BUILT_IN
from canopy.config.values import Values
from canopy.text import json_lines
from canopy.text.json_schema import inlined

type Responses = dict[int | str, dict[str, Any]]  # FastAPI's parameter `responses`
type Endpoint = Callable[[Request], Awaitable[Response]]
type ErrorHandler = Callable[[Request, Exception], Awaitable[Response]]


class BodyRoute(APIRoute):
    """A route that FastAPI documents but doesn't process: its endpoint gets the request and returns the response.

    FastAPI's body parsing takes longer than a whole vote and quotes the input in errors; see `canopy.api.bodies`.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the endpoint itself."""
        endpoint: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint
        return endpoint


class PlainRoute(Route):
    """A route that is not in the API's description, but known to the log and the metrics."""

    def __init__(self, path: str, endpoint: Endpoint) -> None:
        super().__init__(path, endpoint, include_in_schema=False)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match as Starlette does, and add the route to the scope, as FastAPI does with its own routes."""
        match, child_scope = super().matches(scope)
        return match, {**child_scope, "route": self}


FEATURE_PATH = "/{feature}"


class FeatureRoute(BodyRoute):
    """A route at `/{feature}` that matches only features that the values in force add."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match as FastAPI does, if there is such a feature."""
        return _if_feature_exists(scope, *super().matches(scope))


class FeaturePageRoute(PlainRoute):
    """A page at `/{feature}` that matches only features that the values in force add."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match as Starlette does, if there is such a feature."""
        return _if_feature_exists(scope, *super().matches(scope))


def feature_name_of(request: Request) -> str:
    """Return the name of the feature in the request's path, or else the built-in feature's."""
    name: str = request.path_params.get("feature", BUILT_IN)
    return name


def _if_feature_exists(scope: Scope, match: Match, matched: Scope) -> tuple[Match, Scope]:
    if match is not Match.NONE:
        values: Values = scope["app"].state.config.current.values
        if matched["path_params"]["feature"] not in values.features:
            return Match.NONE, {}
    return match, matched


_TEXT = {"schema": {"type": "string"}}


def json_response(payload: Any, status: int = 200) -> Response:
    """Return the payload as a JSON response that no shared cache keeps."""
    return encoded_response(json_lines.dump(payload), status)


def encoded_response(body: bytes, status: int = 200) -> Response:
    """Return bytes that are JSON already as a response that no shared cache keeps."""
    return Response(body, status, {"cache-control": "no-store"}, "application/json")


def of_type(answer: Any, description: str = "The answer.") -> Responses:
    """Return the `responses` of a route that document its JSON answer."""
    return {200: {"model": answer, "description": description}}


def with_page(answer: Any) -> Responses:
    """Return the `responses` that document an answer in JSON, or a page for browsers."""
    described = of_type(answer)
    described[200]["content"] = {"text/html": _TEXT}
    return described


def of_text(media_type: str) -> Responses:
    """Return the `responses` that document a text of this media type."""
    return {200: {"description": "The text.", "content": {media_type: _TEXT}}}


def streamed(answer: Any, *events: Any) -> Responses:
    """Return the `responses` that document a stream of these events, or one JSON object for clients that ask for it."""
    data = {"type": "string", "contentMediaType": "application/json", "contentSchema": {"anyOf": _schemas(events)}}
    item = {"type": "object", "required": ["data"], "properties": {"data": data}}
    described = of_type(answer, "Events, the last of them `[DONE]`; or one JSON object.")
    described[200]["content"] = {"text/event-stream": _TEXT | {"itemSchema": item}}
    return described


def also_streamed(described: Responses, event: Any) -> Responses:
    """Return the `responses` of a stream with one more event described."""
    described = deepcopy(described)
    item = described[200]["content"]["text/event-stream"]["itemSchema"]
    item["properties"]["data"]["contentSchema"]["anyOf"] += _schemas([event])
    return described


def errors(*statuses: int) -> Responses:
    """Return the `responses` that document errors of these statuses, and any other.

    They refer to `error_schemas`, since FastAPI would build a validator for each error of each route at every start.
    """
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{Failure.__name__}"}}}
    other: Responses = {"default": {"content": content, "description": "Any other error."}}
    return {status: {"content": content} for status in statuses} | other


def error_schemas() -> dict[str, Any]:
    """Return the JSON schemas that `errors` refers to, by name, for the API's description."""
    schema = TypeAdapter(Failure).json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs"), Failure.__name__: schema}


def request_body(model: type[BaseModel]) -> dict[str, Any]:
    """Return the `openapi_extra` that documents a JSON body. It refers to `canopy.api.bodies.body_schemas`."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _schemas(types: Iterable[Any]) -> list[dict[str, Any]]:
    return [inlined(TypeAdapter(it).json_schema(mode="serialization")) for it in types]
