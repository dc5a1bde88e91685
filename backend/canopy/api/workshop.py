"""Compatibility with clients of today's workshop: their names of routes, a flag, a feature, events and ids.

These clients name a response by the id of a trace. A summary's is MLflow's form of the request id. A comparison's two
responses get ids that hold all that a ballot needs, because these clients send ballots without a session: the
comparison, the side, the generation and the session that asked, which the client itself had sent.
"""

import re
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import Any

import orjson
from fastapi import APIRouter
from pydantic_core import PydanticCustomError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from canopy.api.description import with_event
from canopy.api.generation_responses import TraceIdEvent
from canopy.api.requests import trace_id_of
from canopy.api.routes import BodyRoute, Endpoint
from canopy.api.streams import EventStream, event
from canopy.base.ids import MLFLOW_TRACE_PREFIX
from canopy.config.features import BUILT_IN, BUILT_IN_ALIAS, canonical_name

_ROUTES = {
    "/summarization": "/summarize",
    "/summarization/chat": "/summarize/chat",
    "/summarization/ab": "/summarize/ab",
}
_SIDE_ID = re.compile(r"(cmp_[0-9a-f]{32}):([ab]):(gen_[0-9a-f]{32}):(.{0,200})", re.DOTALL)


def workshop_routes(routes: Iterable[BaseRoute]) -> list[BaseRoute]:
    """Return routes at the workshop's paths for some of `routes`, with its events in their streams."""
    known = {route.path: route for route in routes if isinstance(route, BodyRoute)}
    router = APIRouter(route_class=BodyRoute, tags=["workshop"])
    for path, ours in _ROUTES.items():
        original = known[ours]
        router.add_api_route(
            path,
            _with_trace_ids(original.endpoint),
            methods=["POST"],
            name=path.strip("/").replace("/", "_"),
            summary=f"`POST {ours}` as today's workshop asks it",
            description=f"As `POST {ours}`, with additional events that clients of today's workshop expect.",
            responses=with_event(original.answers, TraceIdEvent),
            openapi_extra=original.openapi_extra,
            response_model=None,
        )
    return router.routes


def flags(ours: dict[str, Any]) -> dict[str, Any]:
    """Return the flags, with the workshop's name of the built-in feature's too."""
    return ours | {BUILT_IN_ALIAS: ours[BUILT_IN]}


def vote(body: Any) -> Any:
    """Return the body of a vote with Canopy's name of its feature, and with its generation if it names a side's id."""
    if not isinstance(body, dict):
        return body
    if isinstance(feature := body.get("feature"), str):
        body = body | {"feature": canonical_name(feature)}
    named = body.get("request_id")
    if isinstance(named, str) and (side := _SIDE_ID.fullmatch(named)):
        body = body | {"request_id": None, "generation_id": side[3]}
    return body


def ballot(body: Any) -> Any:
    """Return the body of a ballot with the comparison and the session in place of the ids of both sides.

    Raises PydanticCustomError unless these are the ids of one comparison's sides.
    """
    if not isinstance(body, dict) or not {"trace_id_a", "trace_id_b"} & body.keys():
        return body
    ours = {key: value for key, value in body.items() if key not in {"trace_id_a", "trace_id_b"}}
    a, b = (_SIDE_ID.fullmatch(str(body.get(key))) for key in ("trace_id_a", "trace_id_b"))
    if not a or not b or (a[1], a[2], b[2], a[4]) != (b[1], "a", "b", b[4]):
        raise PydanticCustomError(
            "side_ids", "`trace_id_a` and `trace_id_b` must be those that the comparison's stream sent, unchanged"
        )
    if ours.setdefault("comparison_id", a[1]) != a[1]:
        raise PydanticCustomError(
            "side_ids", "`comparison_id` must be the one that `trace_id_a` and `trace_id_b` are of"
        )
    if not ours.get("prompt_mapping"):
        ours.pop("prompt_mapping", None)
    if a[4]:
        ours.setdefault("session_id", a[4])
    return ours


def _with_trace_ids(endpoint: Endpoint) -> Endpoint:
    async def endpoint_with_trace_ids(request: Request) -> Response:
        response = await endpoint(request)
        if isinstance(response, EventStream):
            response.pass_through(lambda chunks: _add_trace_ids(chunks, request))
        return response

    return endpoint_with_trace_ids


async def _add_trace_ids(chunks: AsyncGenerator[bytes], request: Request) -> AsyncGenerator[bytes]:
    """Yield the chunks, and before each response's end the event with the id of its trace."""
    comparison_id = ""
    async with aclosing(chunks) as arriving:
        async for chunk in arriving:
            if b'"type"' in chunk:  # one event, and no delta: quotes in a delta are escaped
                payload = orjson.loads(chunk.removeprefix(b"data: "))
                if payload["type"] == "ab_config":
                    comparison_id = payload["comparison_id"]
                elif payload["type"] == "done":
                    yield event(_id_event(payload, comparison_id, request))
            yield chunk


def _id_event(done: dict[str, Any], comparison_id: str, request: Request) -> dict[str, str]:
    side = done.get("variant")
    if side is None:
        return {"type": "trace_id", "trace_id": f"{MLFLOW_TRACE_PREFIX}{trace_id_of(request.scope)}"}
    session_id = getattr(request.state, "session_id", None) or ""
    return {"type": f"trace_id_{side}", "trace_id": f"{comparison_id}:{side}:{done['generation_id']}:{session_id}"}
