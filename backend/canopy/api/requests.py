"""The outermost middleware: a request's id, span, log line and metrics, and the security headers.

It is plain ASGI around the framework, so that responses to unexpected errors have the headers too, and it is fast.
"""

import time
import traceback
from collections.abc import Awaitable, MutableMapping
from typing import Any

from opentelemetry.trace import use_span
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from canopy.telemetry import Telemetry
from canopy.telemetry.http_events import HttpRequest, RequestFailed
from canopy.telemetry.logs import current_trace_id
from canopy.telemetry.traces import RequestTrace

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# Probes and scrapes come every few seconds; their log lines and spans would drown the rest.
_UNLOGGED = frozenset({"/healthz", "/readyz", "/metrics"})
_CSP = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    b"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_SECURITY_HEADERS: list[tuple[bytes, bytes]] = [
    (b"content-security-policy", _CSP),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
]


def trace_id_of(scope: MutableMapping[str, Any]) -> str:
    """Return the request's trace id, which is also its request id."""
    trace_id: str = scope["canopy.trace_id"]
    return trace_id


def route_of(scope: MutableMapping[str, Any]) -> str:
    """Return the path of the route, with the feature's name for `{feature}`; empty if no route matches."""
    pattern: str = getattr(scope.get("route"), "path", "")
    return pattern.replace("{feature}", scope["path_params"]["feature"]) if "{feature}" in pattern else pattern


class RequestContext:
    """ASGI middleware around a whole application. With `quiet` it neither logs nor traces requests."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry, *, quiet: bool = False) -> None:
        self._app = app
        self._telemetry = telemetry
        self._quiet = quiet

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; other kinds of scope (lifespan) pass through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
        telemetry = self._telemetry
        quiet = self._quiet or scope["path"] in _UNLOGGED
        request = telemetry.traces.begin_request(method, scope["headers"], traced=not quiet)
        scope["canopy.trace_id"] = request.trace_id
        current_trace_id.set(request.trace_id)
        status = 500
        own_headers = [(b"x-request-id", request.trace_id.encode()), *_SECURITY_HEADERS]

        def send_with_headers(message: Message) -> Awaitable[None]:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message["headers"], *own_headers]}
            return send(message)

        telemetry.metrics.http.active.inc()
        try:
            await self._run(request, scope, receive, send_with_headers)
        except Exception as error:  # noqa: BLE001 - the framework has answered 500; here it is told to the operators
            telemetry.emit(
                RequestFailed(
                    http_route=route_of(scope),
                    code="internal_error",
                    error=type(error).__name__,
                    trace_id=request.trace_id,
                    exception="".join(traceback.format_exception(error)),
                )
            )
        finally:
            telemetry.metrics.http.active.dec()
            if status >= 500 and scope.get("canopy.evaluation"):  # alerts are about users
                telemetry.metrics.http.evaluation_errors.inc()
            route = route_of(scope)
            telemetry.traces.end_request(request, method, route, status)
            event = HttpRequest(method, route, status, time.perf_counter() - began, request.trace_id)
            if quiet:
                telemetry.metrics.record(event)
            else:
                telemetry.emit(event)

    async def _run(self, request: RequestTrace, scope: Scope, receive: Receive, send: Send) -> None:
        if request.span is None:
            await self._app(scope, receive, send)
        else:
            with use_span(request.span):
                await self._app(scope, receive, send)
