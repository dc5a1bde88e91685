"""Responses to errors: JSON with a sentence, a stable code and the request id, or a page for browsers."""

from collections.abc import Mapping, MutableMapping
from typing import Any, cast

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Match, Route

from canopy.api import pages
from canopy.api.access import identity_of
from canopy.api.bodies import BodyError, body_error
from canopy.api.context import AppContext
from canopy.api.frame import wants_html
from canopy.api.link_decorations import undecorated
from canopy.api.requests import route_of, trace_id_of
from canopy.base.errors import CanopyError, Unauthenticated, WrongDates
from canopy.telemetry import Telemetry
from canopy.telemetry.http_events import RequestFailed
from canopy.text import json_lines

_HTTP_CODES = {404: "not_found", 405: "method_not_allowed"}
_HTTP_SENTENCES = {404: "There is nothing at this address.", 405: "This address doesn't take that method."}
UNEXPECTED = "Something went wrong inside Canopy. The operators find the cause under this request id."


def report_failure(telemetry: Telemetry, scope: MutableMapping[str, Any], error: CanopyError) -> None:
    """Log an error that is not the client's."""
    if error.status >= 500:
        event = RequestFailed(
            http_route=route_of(scope),
            code=error.code,
            error=error.sentence,
            reason=error.reason,
            trace_id=trace_id_of(scope),
            exception=None,
        )
        telemetry.emit(event)


def sentence_for(context: AppContext, scope: MutableMapping[str, Any], error: CanopyError) -> str:
    """Return the error's sentence. Reviewers, and everybody in open mode, also get what the model server said."""
    identity = identity_of(scope)
    is_open = context.config.current.values.auth.mode == "open"
    return error.in_full if is_open or (identity is not None and identity.may("reviewer")) else error.sentence


def _forget_frames(error: BaseException | None) -> None:
    """Let go of what the functions held that an error came through, such as the texts of a vote that was refused.

    Where the client has gone, the answer fails while the error is handled, and the transport keeps both errors for the
    rest of the event loop's turn, in which all bodies that have arrived are handled.
    """
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


def add_error_handlers(app: FastAPI, context: AppContext) -> None:
    """Make Canopy's errors, the framework's and unexpected exceptions responses of one form."""

    async def canopy(request: Request, error: Exception) -> Response:
        known = cast(CanopyError, error)
        _forget_frames(known)
        report_failure(context.telemetry, request.scope, known)
        return respond(request, known)

    async def validation(request: Request, error: Exception) -> Response:
        if (address := undecorated(request)) is not None:
            return RedirectResponse(address, 307, {"cache-control": "no-store", "vary": "Accept"})
        return respond(request, body_error(cast(RequestValidationError, error).errors()))

    async def http(request: Request, error: Exception) -> Response:
        error = cast(HTTPException, error)
        sentence = _HTTP_SENTENCES.get(error.status_code, f"{error.detail}.")
        code = _HTTP_CODES.get(error.status_code, "http_error")
        headers = {"allow": allowed(request)} if error.status_code == 405 else error.headers
        return answer(request, error.status_code, {"detail": sentence, "code": code}, headers)

    def allowed(request: Request) -> str:
        """Return the methods of all routes at the address; the framework lists only those of the first."""
        methods: set[str] = set()
        for route in app.routes:
            if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
                methods |= route.methods or set()
        return ", ".join(sorted(methods))

    async def unexpected(request: Request, _: Exception) -> Response:
        return respond(request, CanopyError(UNEXPECTED))

    def respond(request: Request, error: CanopyError) -> Response:
        body: dict[str, Any] = {"detail": sentence_for(context, request.scope, error), "code": error.code}
        if isinstance(error, BodyError):
            body["errors"] = error.errors
        headers = {"retry-after": str(error.retry_after)} if error.retry_after is not None else {}
        if isinstance(error, Unauthenticated):
            headers["www-authenticate"] = 'Bearer realm="Canopy"'
            if wants_html(request) and (address := pages.sign_in_address(context, request)):
                return RedirectResponse(address, 303, {"cache-control": "no-store", "vary": "Accept"})
        if isinstance(error, WrongDates) and wants_html(request):
            return pages.wrong_dates_page(context, request, error)
        return answer(request, error.status, body, headers)

    def answer(request: Request, status: int, body: dict[str, Any], headers: Mapping[str, str] | None) -> Response:
        if wants_html(request):
            return pages.error_page(context, request, status, body["detail"], body["code"], headers)
        body["request_id"] = trace_id_of(request.scope)
        return Response(
            json_lines.dump(body), status, {"cache-control": "no-store", **(headers or {})}, "application/json"
        )

    app.add_exception_handler(CanopyError, canopy)
    app.add_exception_handler(RequestValidationError, validation)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, unexpected)
