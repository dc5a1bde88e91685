"""What today's workshop calls things, and what Canopy calls them: routes, a flag, a feature, events and ids.

Its clients know a response by the id of a trace. A summary's is the request id as MLflow writes it. The two responses
of a comparison get ids that say what a ballot has to say, because these clients send it without a session: the
comparison, the side, the generation and, last, the session that asked, which the client itself had sent.
"""

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import Any

import orjson
from fastapi import APIRouter
from fastapi.routing import APIRoute
from pydantic_core import PydanticCustomError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from canopy.api.generation_responses import TraceOf
from canopy.api.requests import trace_id_of
from canopy.api.routes import BodyRoute, also_streamed
from canopy.api.spellings import MLFLOW_PREFIX
from canopy.api.streams import EventStream, event

_ROUTES = {
    "/summarization": "/summarize",
    "/summarization/chat": "/summarize/chat",
    "/summarization/ab": "/summarize/ab",
}
_NAMES = {"summarization": "summarize"}  # of a feature and of its flag
_SIDE_ID = re.compile(r"(cmp_[0-9a-f]{32}):([ab]):(gen_[0-9a-f]{32}):(.{0,200})", re.DOTALL)

type _Endpoint = Callable[[Request], Awaitable[Response]]


def workshop_routes(routes: Iterable[BaseRoute]) -> list[BaseRoute]:
    """The workshop's addresses of some of these routes, with its events in their streams."""
    known = {route.path: route for route in routes if isinstance(route, BodyRoute)}
    router = APIRouter(route_class=BodyRoute, tags=["workshop"])
    for path, ours in _ROUTES.items():
        original: APIRoute = known[ours]
        router.add_api_route(
            path,
            _translating(original.endpoint),
            methods=["POST"],
            name=path.strip("/").replace("/", "_"),
            summary=f"`POST {ours}` as today's workshop asks it",
            description=f"The same, with the events that today's workshop expects beside those of `{ours}`.",
            responses=also_streamed(original.responses, TraceOf),
            openapi_extra=original.openapi_extra,
            response_model=None,
        )
    return router.routes


def flags(ours: dict[str, Any]) -> dict[str, Any]:
    """The flags, with the workshop's names for them too."""
    return ours | {theirs: ours[name] for theirs, name in _NAMES.items()}


def feature(name: Any) -> Any:
    """Our name of a feature; anything else as it is."""
    return _NAMES.get(name, name) if isinstance(name, str) else name


def vote(body: Any) -> Any:
    """A vote in our words: its feature, and the generation where its `request_id` is a side's id."""
    if not isinstance(body, dict):
        return body
    if "feature" in body:
        body = body | {"feature": feature(body["feature"])}
    named = body.get("request_id")
    if isinstance(named, str) and (side := _SIDE_ID.fullmatch(named)):
        body = body | {"request_id": None, "generation_id": side[3]}
    return body


def ballot(body: Any) -> Any:
    """A ballot in our words: the comparison and the session in place of the ids of both sides.

    Raises PydanticCustomError for ids that aren't those of one comparison's sides.
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


def _translating(endpoint: _Endpoint) -> _Endpoint:
    async def translating(request: Request) -> Response:
        response = await endpoint(request)
        if isinstance(response, EventStream):
            response.pass_through(lambda chunks: _translated(chunks, request))
        return response

    return translating


async def _translated(chunks: AsyncGenerator[bytes], request: Request) -> AsyncGenerator[bytes]:
    """A stream with the id of a response's trace before its end."""
    comparison_id = ""
    async with aclosing(chunks) as arriving:
        async for chunk in arriving:
            if b'"type"' in chunk:  # then it is one event, and no delta; a quote in a delta has a backslash before it
                told = orjson.loads(chunk.removeprefix(b"data: "))
                if told["type"] == "ab_config":
                    comparison_id = told["comparison_id"]
                elif told["type"] == "done":
                    yield event(_id_event(told, comparison_id, request))
            yield chunk


def _id_event(done: dict[str, Any], comparison_id: str, request: Request) -> dict[str, str]:
    side = done.get("variant")
    if side is None:
        return {"type": "trace_id", "trace_id": f"{MLFLOW_PREFIX}{trace_id_of(request.scope)}"}
    session_id = getattr(request.state, "session_id", None) or ""
    return {"type": f"trace_id_{side}", "trace_id": f"{comparison_id}:{side}:{done['generation_id']}:{session_id}"}
