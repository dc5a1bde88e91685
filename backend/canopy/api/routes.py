"""How routes are declared: with FastAPI for the documentation, without its per-request work where that counts."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

from canopy import jsonlines

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


class ErrorBody(BaseModel):
    """Every error's shape."""

    detail: str = Field(description="What is wrong and how to fix it, in a sentence.")
    code: str = Field(description="Stable, for programs.")
    request_id: str = Field(description="Under which the operators find the request.")


def json_response(payload: Any, status: int = 200) -> Response:
    """A JSON answer that no shared cache keeps."""
    return encoded_response(jsonlines.dump(payload), status)


def encoded_response(body: bytes, status: int = 200) -> Response:
    """The same, of what is JSON already."""
    return Response(body, status, {"cache-control": "no-store"}, "application/json")


def request_body(model: type[BaseModel]) -> dict[str, Any]:
    """The `openapi_extra` that documents a JSON body."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    definitions = schema.pop("$defs", {})
    return {
        "requestBody": {"required": True, "content": {"application/json": {"schema": _inlined(schema, definitions)}}}
    }


def _inlined(node: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_inlined(item, definitions) for item in node]
    if isinstance(node, dict):
        if reference := node.get("$ref"):
            return _inlined(definitions[reference.rpartition("/")[2]], definitions)
        return {key: _inlined(value, definitions) for key, value in node.items()}
    return node
