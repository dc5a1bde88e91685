"""Routes of features: the built-in one's at paths of its own, those of the values at `/{feature}`.

FastAPI matches and serves the latter; `canopy.api.direct` bypasses it for fixed paths only.
"""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from canopy.api import comparisons, generations
from canopy.api.bodies import Body, ChatBody, PromptBody
from canopy.api.context import AppContext
from canopy.api.description import Responses, describe_body
from canopy.api.routes import FEATURE_PATH, BodyRoute, FeatureRoute
from canopy.config.feature_values import FEATURE_NAME
from canopy.config.features import BUILT_IN

_NAME_PARAMETER = {
    "name": "feature",
    "in": "path",
    "required": True,
    "description": "The feature's name, as `features` in the values has it and `GET /feature-flags` lists it.",
    "schema": {"type": "string", "pattern": FEATURE_NAME},
}


class _Mode(NamedTuple):
    """A way to ask a feature, at the feature's path and `path`; `tag` and `summary` document the built-in feature's."""

    path: str
    answer: Callable[[AppContext, Request], Awaitable[Response]]
    body: type[Body]
    responses: Responses
    tag: str
    summary: str


_ASK = _Mode("", generations.ask, PromptBody, generations.ANSWERS, BUILT_IN, "Summarize a text")
_MODES = (
    _ASK,
    _ASK._replace(
        path="/chat", answer=generations.converse, body=ChatBody, summary="Ask a follow-up question on a summary"
    ),
    _ASK._replace(
        path="/ab",
        answer=comparisons.compare,
        responses=comparisons.COMPARED,
        tag="a/b testing",
        summary="Summarize a text with both prompts at once; outside the share of sessions that compare, with one",
    ),
)


def built_in_routes(context: AppContext) -> APIRouter:
    """Return the routes of the built-in feature."""
    router = APIRouter(route_class=BodyRoute)
    for mode in _MODES:
        _add(router, context, mode, f"/{BUILT_IN}", tag=mode.tag, summary=mode.summary)
    return router


def added_routes(context: AppContext) -> APIRouter:
    """Return the routes of all other features. They match any word, so they must come after fixed paths."""
    router = APIRouter(route_class=FeatureRoute)
    for mode in _MODES:
        summary = f"`POST /{BUILT_IN}{mode.path}` for a feature of the values"
        _add(router, context, mode, FEATURE_PATH, tag="features", summary=summary, parameters=[_NAME_PARAMETER])
    return router


def _add(
    router: APIRouter, context: AppContext, mode: _Mode, at: str, *, tag: str, summary: str, **described: Any
) -> None:
    async def endpoint(request: Request) -> Response:
        return await mode.answer(context, request)

    router.add_api_route(
        f"{at}{mode.path}",
        endpoint,
        methods=["POST"],
        tags=[tag],
        summary=summary,
        description=mode.answer.__doc__,
        responses=mode.responses,
        openapi_extra=describe_body(mode.body) | described,
        response_model=None,
    )
