"""Kinds of routes, and JSON responses."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

from canopy.api.description import Responses, with_schemas
from canopy.config.features import BUILT_IN
from canopy.config.values import Values
from canopy.text import json_lines

type Endpoint = Callable[[Request], Awaitable[Response]]
type ErrorHandler = Callable[[Request, Exception], Awaitable[Response]]


class DescribedRoute(APIRoute):
    """A route of whose answers FastAPI learns when it describes the API: it builds a validator for each."""

    def __init__(
        self, path: str, endpoint: Callable[..., Any], *, responses: Responses | None = None, **options: Any
    ) -> None:
        super().__init__(path, endpoint, **options)
        self.answers = responses or {}
        self._options = options

    def described(self) -> APIRoute:
        """Return the same route, with its answers, for FastAPI to describe."""
        route = APIRoute(self.path, self.endpoint, responses=with_schemas(self.answers), **self._options)
        route.operation_id, route.summary = self.operation_id, self.summary
        return route


class BodyRoute(DescribedRoute):
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


def json_response(payload: Any, status: int = 200) -> Response:
    """Return the payload as a JSON response that no shared cache keeps."""
    return encoded_response(json_lines.dump(payload), status)


def encoded_response(body: bytes, status: int = 200) -> Response:
    """Return bytes that are JSON already as a response that no shared cache keeps."""
    return Response(body, status, {"cache-control": "no-store"}, "application/json")
