"""How routes are declared: with FastAPI for the documentation, without its per-request work where that counts."""

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

type Responses = dict[int | str, dict[str, Any]]  # what a route's `responses` are
type Answer = Callable[[Request, Exception], Awaitable[Response]]  # an error's


class BodyRoute(APIRoute):
    """A route whose endpoint takes the request as it is and answers with a response.

    FastAPI's own body parsing costs more than a whole vote does and echoes what it refuses; `canopy.api.bodies` does
    the same in one validation.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The endpoint itself."""
        endpoint: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint
        return endpoint


class PlainRoute(Route):
    """A route outside the API's description, which is known to the log and the metrics all the same."""

    def __init__(self, path: str, endpoint: Callable[[Request], Awaitable[Response]]) -> None:
        super().__init__(path, endpoint, include_in_schema=False)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Starlette's answer, with the route itself in the scope: FastAPI puts only its own routes there."""
        match, child_scope = super().matches(scope)
        return match, {**child_scope, "route": self}


ADDED = "/{feature}"


class AddedRoute(BodyRoute):
    """A route for every feature that the values in force add, and for no other address."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match as FastAPI does, if the values in force have a feature of that name."""
        return _if_added(scope, *super().matches(scope))


class AddedPage(PlainRoute):
    """A page's route that matches only names of features that the values in force have."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match as Starlette does, if the values in force have a feature of that name."""
        return _if_added(scope, *super().matches(scope))


def feature_in(request: Request) -> str:
    """The name of the feature that a request asks: the one in its address, where that has a place for it."""
    name: str = request.path_params.get("feature", BUILT_IN)
    return name


def _if_added(scope: Scope, match: Match, matched: Scope) -> tuple[Match, Scope]:
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
    """Return the `responses` that document an answer in JSON, which browsers get as a page."""
    described = of_type(answer)
    described[200]["content"] = {"text/html": _TEXT}
    return described


def of_text(media_type: str) -> Responses:
    """Return the `responses` that document an answer that is a text of this media type."""
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
    """Return the `responses` that document errors: those that a route is known for, and any other.

    They are documented by name, since FastAPI would make a validator of each error of each route, at every start.
    """
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{Failure.__name__}"}}}
    other: Responses = {"default": {"content": content, "description": "Any other error."}}
    return {status: {"content": content} for status in statuses} | other


def error_schemas() -> dict[str, Any]:
    """The JSON schemas that `errors` names, by name, for the API's description."""
    schema = TypeAdapter(Failure).json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs"), Failure.__name__: schema}


def request_body(model: type[BaseModel]) -> dict[str, Any]:
    """The `openapi_extra` that documents a JSON body, by its name among `canopy.api.bodies.body_schemas`."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _schemas(types: Iterable[Any]) -> list[Any]:
    found = [TypeAdapter(it).json_schema(mode="serialization") for it in types]
    return [_inlined(schema, schema.pop("$defs", {})) for schema in found]


def _inlined(node: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_inlined(item, definitions) for item in node]
    if isinstance(node, dict):
        if reference := node.get("$ref"):
            return _inlined(definitions[reference.rpartition("/")[2]], definitions)
        return {key: _inlined(value, definitions) for key, value in node.items()}
    return node
