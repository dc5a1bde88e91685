"""Errors on the wire: a sentence, a stable code and the request id, with the right status."""

from collections.abc import MutableMapping
from typing import Any, cast

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from canopy import jsonlines
from canopy.api.bodies import BodyError, invalid
from canopy.api.context import route_of, trace_id_of
from canopy.errors import CanopyError
from canopy.telemetry import Telemetry
from canopy.telemetry.events import RequestFailed

_HTTP_CODES = {404: "not_found", 405: "method_not_allowed"}
_HTTP_SENTENCES = {404: "There is nothing at this address.", 405: "This address doesn't take that method."}
UNEXPECTED = "Something went wrong inside Canopy. The operators find the cause under this request id."


def error_response(error: CanopyError, trace_id: str) -> Response:
    """The error as a client sees it."""
    body: dict[str, Any] = {"detail": error.sentence, "code": error.code, "request_id": trace_id}
    if isinstance(error, BodyError):
        body["errors"] = error.errors
    headers = {"retry-after": str(error.retry_after)} if error.retry_after is not None else None
    return Response(jsonlines.dump(body), error.status, headers, "application/json")


def report(telemetry: Telemetry, scope: MutableMapping[str, Any], error: CanopyError) -> None:
    """Tell the operators of an error that is not the client's."""
    if error.status >= 500:
        event = RequestFailed(
            http_route=route_of(scope),
            code=error.code,
            error=error.sentence,
            trace_id=trace_id_of(scope),
            exception=None,
        )
        telemetry.emit(event)


def add_error_handlers(app: FastAPI, telemetry: Telemetry) -> None:
    """Answer Canopy's own errors, the framework's and the unforeseen ones in one shape."""

    async def canopy(request: Request, error: Exception) -> Response:
        known = cast(CanopyError, error)
        report(telemetry, request.scope, known)
        return error_response(known, trace_id_of(request.scope))

    app.add_exception_handler(CanopyError, canopy)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unforeseen)


async def _validation(request: Request, error: Exception) -> Response:
    findings = cast(RequestValidationError, error).errors()
    return error_response(invalid(findings), trace_id_of(request.scope))


async def _http(request: Request, error: Exception) -> Response:
    error = cast(HTTPException, error)
    body = {
        "detail": _HTTP_SENTENCES.get(error.status_code, f"{error.detail}."),
        "code": _HTTP_CODES.get(error.status_code, "http_error"),
        "request_id": trace_id_of(request.scope),
    }
    return Response(jsonlines.dump(body), error.status_code, error.headers, "application/json")


async def _unforeseen(request: Request, _: Exception) -> Response:
    return error_response(CanopyError(UNEXPECTED), trace_id_of(request.scope))
